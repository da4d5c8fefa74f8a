#define _GNU_SOURCE
#include "reconfig.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

void grant_requests(struct socket *socket, uint32_t flags)
{
	struct sctp_assoc_value value = { .assoc_id = SCTP_FUTURE_ASSOC, .assoc_value = flags };
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &value, sizeof value) < 0)
		die("SCTP_ENABLE_STREAM_RESET: %s", strerror(errno));
}

static uint16_t parse_direction(const char *word)
{
	if (word != NULL && strcmp(word, "incoming") == 0)
		return SCTP_STREAM_RESET_INCOMING;
	if (word != NULL && strcmp(word, "outgoing") == 0)
		return SCTP_STREAM_RESET_OUTGOING;
	if (word != NULL && strcmp(word, "both") == 0)
		return SCTP_STREAM_RESET_INCOMING | SCTP_STREAM_RESET_OUTGOING;
	die("reset wants incoming, outgoing or both");
}

void command_reset(struct socket *socket, char **save)
{
	uint16_t flags = parse_direction(strtok_r(NULL, " ", save));
	/* A stream takes at least two characters of what is left: a digit and a space. */
	struct sctp_reset_streams *reset = allocate(sizeof *reset + sizeof(uint16_t) * (strlen(*save) / 2 + 1));
	reset->srs_flags = flags;
	for (const char *stream; (stream = strtok_r(NULL, " ", save)) != NULL;)
		reset->srs_stream_list[reset->srs_number_streams++] = (uint16_t)strtoul(stream, NULL, 10);
	size_t size = sizeof *reset + sizeof(uint16_t) * reset->srs_number_streams;
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, reset, (socklen_t)size) < 0)
		emit_error("SCTP_RESET_STREAMS");
	free(reset);
}

void command_reset_association(struct socket *socket)
{
	sctp_assoc_t unused = 0;
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_RESET_ASSOC, &unused, sizeof unused) < 0)
		emit_error("SCTP_RESET_ASSOC");
}

void command_add_streams(struct socket *socket, char **save)
{
	const char *incoming = strtok_r(NULL, " ", save), *outgoing = strtok_r(NULL, " ", save);
	if (incoming == NULL || outgoing == NULL)
		die("add_streams wants INCOMING OUTGOING");
	struct sctp_add_streams add = {
		.sas_instrms = (uint16_t)strtoul(incoming, NULL, 10),
		.sas_outstrms = (uint16_t)strtoul(outgoing, NULL, 10),
	};
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_ADD_STREAMS, &add, sizeof add) < 0)
		emit_error("SCTP_ADD_STREAMS");
}

static void put_flag(const char *name, bool set) { put(", \"%s\": %s", name, set ? "true" : "false"); }

void emit_stream_reset(const struct sctp_stream_reset_event *reset)
{
	size_t count = (reset->strreset_length - sizeof *reset) / sizeof(uint16_t);
	begin_event("stream_reset");
	put_flag("incoming", reset->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN);
	put_flag("outgoing", reset->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN);
	put_flag("denied", reset->strreset_flags & SCTP_STREAM_RESET_DENIED);
	put_flag("failed", reset->strreset_flags & SCTP_STREAM_RESET_FAILED);
	put(", \"streams\": [");
	for (size_t i = 0; i < count; i++)
		put("%s%u", i > 0 ? ", " : "", reset->strreset_stream_list[i]);
	put("]");
	end_event();
}

void emit_association_reset(const struct sctp_assoc_reset_event *reset)
{
	begin_event("association_reset");
	put_flag("denied", reset->assocreset_flags & SCTP_ASSOC_RESET_DENIED);
	put_flag("failed", reset->assocreset_flags & SCTP_ASSOC_RESET_FAILED);
	put(", \"local_tsn\": %u, \"remote_tsn\": %u", reset->assocreset_local_tsn, reset->assocreset_remote_tsn);
	end_event();
}

void emit_stream_change(const struct sctp_stream_change_event *change)
{
	begin_event("stream_change");
	put_flag("denied", change->strchange_flags & SCTP_STREAM_CHANGE_DENIED);
	put_flag("failed", change->strchange_flags & SCTP_STREAM_CHANGE_FAILED);
	put(", \"inbound_streams\": %u, \"outbound_streams\": %u", change->strchange_instrms,
	    change->strchange_outstrms);
	end_event();
}
