# SPDX-License-Identifier: MIT
# The process server, the supervisor and the console driver.

$(call native_server,supervisor,$(wildcard posix/supervisor/*.c posix/supervisor/*.S))
$(call native_server,serial,$(wildcard posix/drivers/serial/*.c))
