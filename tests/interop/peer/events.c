#define _GNU_SOURCE
#include "events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

#include "reconfig.h"

void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("usrsctp_peer: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(EXIT_FAILURE);
}

void *allocate(size_t size)
{
	void *memory = calloc(1, size);
	if (memory == NULL)
		die("out of memory");
	return memory;
}

void begin_event(const char *event)
{
	flockfile(stdout);
	printf("{\"event\": \"%s\"", event);
}

void put(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

void put_string(const char *key, const char *value) { printf(", \"%s\": \"%s\"", key, value); }

void put_hex(const uint8_t *bytes, size_t size)
{
	putchar('"');
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	putchar('"');
}

void put_address(const char *key, const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host, sizeof host);
	else if (address->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof host);
	put_string(key, host);
}

void end_event(void)
{
	puts("}");
	fflush(stdout);
	funlockfile(stdout);
}

void emit_error(const char *call)
{
	int error = errno;
	begin_event("error");
	put_string("call", call);
	put_string("error", strerror(error));
	put(", \"errno\": %d", error);
	end_event();
}

void subscribe_to_events(void *socket)
{
	static const uint16_t types[] = {
		SCTP_ASSOC_CHANGE,          SCTP_PEER_ADDR_CHANGE,       SCTP_REMOTE_ERROR,
		SCTP_SEND_FAILED_EVENT,     SCTP_SHUTDOWN_EVENT,         SCTP_ADAPTATION_INDICATION,
		SCTP_PARTIAL_DELIVERY_EVENT, SCTP_STREAM_RESET_EVENT,     SCTP_ASSOC_RESET_EVENT,
		SCTP_STREAM_CHANGE_EVENT,
	};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct sctp_event event = { .se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = types[i], .se_on = 1 };
		if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event) < 0)
			die("SCTP_EVENT %#x: %s", types[i], strerror(errno));
	}
}

/* The name of a number counted from 1. */
static const char *name_of(uint32_t number, const char *const *names, size_t count)
{
	return number >= 1 && number <= count ? names[number - 1] : "?";
}
#define NAME_OF(number, names) name_of(number, names, sizeof names / sizeof *names)

static void emit_assoc_change(const struct sctp_assoc_change *change)
{
	static const char *const states[] = { "COMM_UP", "COMM_LOST", "RESTART", "SHUTDOWN_COMP",
		                              "CANT_STR_ASSOC" };
	static const char *const features[] = { "PR",       "AUTH",      "ASCONF",
		                                "MULTIBUF", "RE_CONFIG", "INTERLEAVING" };
	size_t info_size = change->sac_length - sizeof *change;

	begin_event("assoc_change");
	put_string("state", NAME_OF(change->sac_state, states));
	put(", \"error\": %u, \"outbound_streams\": %u, \"inbound_streams\": %u", change->sac_error,
	    change->sac_outbound_streams, change->sac_inbound_streams);
	if (change->sac_state == SCTP_COMM_UP || change->sac_state == SCTP_RESTART) {
		put(", \"supports\": [");
		for (size_t i = 0; i < info_size; i++)
			put("%s\"%s\"", i > 0 ? ", " : "", NAME_OF(change->sac_info[i], features));
		put("]");
	} else {
		put(", \"abort_chunk\": ");
		put_hex(change->sac_info, info_size);
	}
	end_event();
}

static void emit_peer_addr_change(const struct sctp_paddr_change *change)
{
	static const char *const states[] = { "AVAILABLE", "UNREACHABLE", "REMOVED",
		                              "ADDED",     "MADE_PRIM",   "CONFIRMED" };
	begin_event("peer_addr_change");
	put_address("address", (const struct sockaddr *)&change->spc_aaddr);
	put_string("state", NAME_OF(change->spc_state, states));
	put(", \"error\": %u", change->spc_error);
	end_event();
}

static void emit_send_failed(const struct sctp_send_failed_event *failed)
{
	begin_event("send_failed");
	put(", \"stream\": %u, \"ppid\": %u, \"error\": %u, \"was_sent\": %s, \"size\": %zu", failed->ssfe_info.snd_sid,
	    ntohl(failed->ssfe_info.snd_ppid), failed->ssfe_error,
	    failed->ssfe_flags & SCTP_DATA_SENT ? "true" : "false", failed->ssfe_length - sizeof *failed);
	end_event();
}

static void emit_remote_error(const struct sctp_remote_error *error)
{
	begin_event("remote_error");
	put(", \"error\": %u, \"data\": ", error->sre_error);
	put_hex(error->sre_data, error->sre_length - sizeof *error);
	end_event();
}

static void emit_adaptation_indication(const struct sctp_adaptation_event *adaptation)
{
	begin_event("adaptation_indication");
	put(", \"indication\": %u", adaptation->sai_adaptation_ind);
	end_event();
}

static void emit_partial_delivery(const struct partial_delivery *partial)
{
	begin_event("partial_delivery");
	put(", \"stream\": %u, \"seq\": %u, \"indication\": %u", partial->stream, partial->seq,
	    partial->indication);
	end_event();
}

void emit_notification(const void *data, size_t size)
{
	const union sctp_notification *notification = data;
	/* A notification longer than the read buffer comes in parts; no field we print lies past the first. */
	if (size < sizeof notification->sn_header || size < notification->sn_header.sn_length)
		return;
	switch (notification->sn_header.sn_type) {
	case SCTP_ASSOC_CHANGE: emit_assoc_change(&notification->sn_assoc_change); break;
	case SCTP_PEER_ADDR_CHANGE: emit_peer_addr_change(&notification->sn_paddr_change); break;
	case SCTP_REMOTE_ERROR: emit_remote_error(&notification->sn_remote_error); break;
	case SCTP_SEND_FAILED_EVENT: emit_send_failed(&notification->sn_send_failed_event); break;
	case SCTP_SHUTDOWN_EVENT: begin_event("shutdown_event"); end_event(); break;
	case SCTP_ADAPTATION_INDICATION: emit_adaptation_indication(&notification->sn_adaptation_event); break;
	case SCTP_PARTIAL_DELIVERY_EVENT: emit_partial_delivery(data); break;
	case SCTP_STREAM_RESET_EVENT: emit_stream_reset(&notification->sn_strreset_event); break;
	case SCTP_ASSOC_RESET_EVENT: emit_association_reset(&notification->sn_assocreset_event); break;
	case SCTP_STREAM_CHANGE_EVENT: emit_stream_change(&notification->sn_strchange_event); break;
	}
}
