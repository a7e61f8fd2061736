/* SPDX-License-Identifier: MIT */
/*
 * A new connection with the name of one that is in TIME_WAIT (lwip_hooks.h).
 *
 * A client that makes many connections comes back to a port within the minute that we remember it
 * for. lwIP answers the SYN with the old connection's acknowledgement, which is refused with a
 * reset, which TIME_WAIT ignores: the client gets nowhere until the minute is over. So, as in RFC
 * 1122 4.2.2.13 and Linux: a SYN that is beyond all that was received ends TIME_WAIT, and is then
 * taken as if it had come just now.
 */
#include <stdbool.h>

#include "lwip/ip.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip_hooks.h"

static bool begins_anew(const struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
	return (TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN &&
	       TCP_SEQ_GT(header->seqno, pcb->rcv_nxt);
}

int net_tcp_reuse(struct tcp_pcb *pcb, struct tcp_hdr *header, const void *options_elsewhere,
		  struct pbuf *p)
{
	struct netif *netif = ip_current_input_netif();
	size_t headers = ip_current_header_tot_len() + TCPH_HDRLEN_BYTES(header);

	if (!begins_anew(pcb, header) || options_elsewhere)
		return ERR_OK;
	/*
	 * lwIP has turned the header's fields into the host's order, and both headers lie before
	 * the payload.
	 */
	header->src = lwip_htons(header->src);
	header->dest = lwip_htons(header->dest);
	header->seqno = lwip_htonl(header->seqno);
	header->ackno = lwip_htonl(header->ackno);
	header->wnd = lwip_htons(header->wnd);
	if (pbuf_add_header_force(p, headers))
		return ERR_ABRT;
	tcp_abort(pcb);
	pbuf_ref(p);	/* the one who called us frees it, too, and looks at nothing else */
	ip_input(p, netif);
	return ERR_ABRT;
}
