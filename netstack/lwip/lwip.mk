# SPDX-License-Identifier: MIT
# lwIP as it is compiled into the network server; netstack/rules.mk includes this first. Its sources
# come with the port (build/ports/lwip); they are other people's, so they compile without our warnings.
#
#   LWIP_SOURCES   to be added to the server's sources
#   LWIP_INCLUDE   flags for everything that includes lwIP's headers
#   LWIP_GLUE      ours: this folder and netstack/interface

LWIP         := $(BUILD)/ports/lwip/lwip
LWIP_INCLUDE := -isystem $(LWIP)/include -Inetstack/lwip -Inetstack/interface
LWIP_SOURCES := $(addprefix $(LWIP)/, \
	$(addprefix core/,def.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c raw.c stats.c tcp.c tcp_in.c tcp_out.c udp.c) \
	$(addprefix core/ipv4/,dhcp.c etharp.c icmp.c igmp.c ip4.c ip4_addr.c ip4_frag.c) \
	$(addprefix core/ipv6/,ethip6.c icmp6.c inet6.c ip6.c ip6_addr.c ip6_frag.c mld6.c nd6.c) \
	netif/ethernet.c)

LWIP_GLUE    := $(wildcard netstack/lwip/*.c netstack/interface/*.c)

$(LWIP_SOURCES): $(BUILD)/ports/lwip/.done ;

# Everything that includes lwIP's headers must wait until they are there.
GENERATED += $(BUILD)/ports/lwip/.done

# (In tests: it takes addresses of members of what may be NULL, and of fields in packets.)
# (Headers that a system header includes are not among the dependencies that the compiler writes.)
# $(eval $(call lwip_flags,FOLDER,PROGRAM)): FOLDER is where the program's objects lie (sysroot/rules.mk).
define lwip_flags
$(call objects,$1,$(LWIP_SOURCES)): netstack/lwip/lwipopts.h netstack/lwip/lwip_hooks.h
$(call objects,$1,$(LWIP_SOURCES)): $2_CPPFLAGS += -w -fno-sanitize=null,alignment
$(call objects,$1,$(LWIP)/core/memp.c): $2_CPPFLAGS += -include netstack/lwip/memp_objects.h
endef
