# SPDX-License-Identifier: MIT
# The network server: sockets over lwIP.

include netstack/lwip/lwip.mk

NETWORK_SOURCES  := netstack/main.c $(wildcard netstack/core/*.c netstack/socket/*.c) $(LWIP_GLUE)
network_CPPFLAGS  = $(LWIP_INCLUDE) -Inetstack/core -Inetstack/socket
$(call native_server,network,$(NETWORK_SOURCES) $(LWIP_SOURCES))
$(eval $(call lwip_flags,$(BUILD)/servers/network,network))
