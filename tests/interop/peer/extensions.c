#define _GNU_SOURCE
#include "extensions.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

/* Missing from the public header: SCTP_INTERLEAVING_SUPPORTED of RFC 8260, and SCTP_PR_SCTP_ALL of RFC 7496. */
#define INTERLEAVING_SUPPORTED 0x1206
#define PR_SCTP_ALL 0x000f

uint32_t parse_scheduler(const char *name)
{
	static const char *const names[] = { "default", "rr", "rr_packet", "priority", "fair", "fcfs" };
	for (uint32_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	die("no such scheduler: %s", name != NULL ? name : "");
}

static void set_for_future(struct socket *socket, int option, uint32_t value, const char *name)
{
	struct sctp_assoc_value assoc_value = { .assoc_id = SCTP_FUTURE_ASSOC, .assoc_value = value };
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, option, &assoc_value, sizeof assoc_value) < 0)
		die("%s: %s", name, strerror(errno));
}

static void set_number(struct socket *socket, int option, uint32_t value, const char *name)
{
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, option, &value, sizeof value) < 0)
		die("%s: %s", name, strerror(errno));
}

void set_extensions(struct socket *socket, const struct options *options)
{
	if (options->interleaving) {
		set_number(socket, SCTP_FRAGMENT_INTERLEAVE, 2, "SCTP_FRAGMENT_INTERLEAVE");
		set_for_future(socket, INTERLEAVING_SUPPORTED, 1, "SCTP_INTERLEAVING_SUPPORTED");
	}
	if (options->explicit_eor)
		set_number(socket, SCTP_EXPLICIT_EOR, 1, "SCTP_EXPLICIT_EOR");
	if (options->scheduler != SCTP_SS_DEFAULT)
		set_for_future(socket, SCTP_PLUGGABLE_SS, options->scheduler, "SCTP_PLUGGABLE_SS");
	if (options->partial_delivery_point != 0)
		set_number(socket, SCTP_PARTIAL_DELIVERY_POINT, options->partial_delivery_point,
		           "SCTP_PARTIAL_DELIVERY_POINT");
}

static uint32_t next_value(char **save, const char *word)
{
	const char *token = strtok_r(NULL, " ", save);
	if (token == NULL)
		die("%s wants a number", word);
	return (uint32_t)strtoul(token, NULL, 10);
}

struct sctp_sendv_spa parse_sending(char **save)
{
	static const struct {
		const char *word;
		uint16_t flag, policy;
	} known[] = {
		{ "unordered", SCTP_UNORDERED, 0 },
		{ "sack_immediately", SCTP_SACK_IMMEDIATELY, 0 },
		{ "eor", SCTP_EOR, 0 },
		{ "ttl", 0, SCTP_PR_SCTP_TTL },
		{ "rtx", 0, SCTP_PR_SCTP_RTX },
		{ "buf", 0, SCTP_PR_SCTP_BUF },
	};
	struct sctp_sendv_spa sending = { .sendv_flags = SCTP_SEND_SNDINFO_VALID };
	for (const char *word; (word = strtok_r(NULL, " ", save)) != NULL;)
		for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
			if (strcmp(word, known[i].word) != 0)
				continue;
			sending.sendv_sndinfo.snd_flags |= known[i].flag;
			if (known[i].policy == 0)
				continue;
			sending.sendv_flags |= SCTP_SEND_PRINFO_VALID;
			sending.sendv_prinfo.pr_policy = known[i].policy;
			sending.sendv_prinfo.pr_value = next_value(save, word);
		}
	return sending;
}

void command_ss_value(struct socket *socket, char **save)
{
	struct sctp_stream_value value = { .assoc_id = SCTP_CURRENT_ASSOC };
	value.stream_id = (uint16_t)next_value(save, "ss_value");
	value.stream_value = (uint16_t)next_value(save, "ss_value");
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_SS_VALUE, &value, sizeof value) < 0)
		emit_error("SCTP_SS_VALUE");
}

void command_set_scheduler(struct socket *socket, char **save)
{
	struct sctp_assoc_value value = { .assoc_id = SCTP_CURRENT_ASSOC };
	value.assoc_value = parse_scheduler(strtok_r(NULL, " ", save));
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_PLUGGABLE_SS, &value, sizeof value) < 0)
		emit_error("SCTP_PLUGGABLE_SS");
}

void command_pr_status(struct socket *socket)
{
	struct sctp_prstatus status = { .sprstat_policy = PR_SCTP_ALL };
	socklen_t size = sizeof status;
	if (usrsctp_getsockopt(socket, IPPROTO_SCTP, SCTP_PR_ASSOC_STATUS, &status, &size) < 0) {
		emit_error("SCTP_PR_ASSOC_STATUS");
		return;
	}
	begin_event("pr_status");
	put(", \"abandoned_unsent\": %llu, \"abandoned_sent\": %llu", (unsigned long long)status.sprstat_abandoned_unsent,
	    (unsigned long long)status.sprstat_abandoned_sent);
	end_event();
}
