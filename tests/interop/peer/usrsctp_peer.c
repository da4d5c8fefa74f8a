/* A foreign SCTP peer for the interoperability tests: usrsctp over UDP (RFC 6951), driven by a test.
 *
 *   usrsctp_peer server|client [options]
 *
 * A server takes one association after the other; a client has one. Two clients with fixed ports that
 * connect to each other are a simultaneous open (RFC 9260 section 5.2). Everything that happens is one
 * JSON object a line on standard output (events.h); standard input takes commands, one a line:
 *
 *   send STREAM SIZE PPID [WORD...]        one message, in order with other commands; of the words, each of
 *                                          which may be left out: unordered, ttl MS or rtx COUNT or buf
 *                                          PRIORITY (RFC 7496), sack_immediately, and, with --explicit-eor,
 *                                          eor: without it the message goes on with the next of its stream
 *   source BYTES SIZE STREAMS [unordered]  many messages, round robin over streams 0..STREAMS-1, in the
 *                                          background; ends with the event "sent" and its tally
 *   pause, resume                          read nothing meanwhile
 *   ss_value STREAM VALUE                  SCTP_SS_VALUE
 *   set_scheduler NAME                     SCTP_PLUGGABLE_SS
 *   pr_status                              the event "pr_status": messages abandoned, of the association
 *   report                                 the event "received": the tally so far (also at every end)
 *   status                                 the event "status": streams, state and paths
 *   primary ADDRESS                        SCTP_PRIMARY_ADDR
 *   reset incoming|outgoing|both [STREAM...]  SCTP_RESET_STREAMS; without a stream all are meant
 *   reset_association                      SCTP_RESET_ASSOC
 *   add_streams INCOMING OUTGOING          SCTP_ADD_STREAMS
 *   shutdown                               graceful end
 *   abort [REASON]                         ABORT with cause 12
 *
 * The end of standard input ends the process at once, and nothing is said to the other side. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <usrsctp.h>

#include "events.h"
#include "extensions.h"
#include "options.h"
#include "reconfig.h"
#include "tally.h"

#define READ_SIZE (256 * 1024)
#define SOURCE_PPID 46

/* A message of which parts have come: usrsctp delivers long ones in pieces, the last with MSG_EOR. */
struct partial {
	uint8_t *data;
	size_t size, capacity;
};

struct association {
	struct socket *socket;
	const struct options *options;
	bool in_notification; /* the rest of a long notification follows */
	struct tally *received;
	/* Interleaved messages (RFC 8260) may mix streams, and a stream's ordered with its unordered ones. */
	struct partial partials[MAX_STREAMS][2];
};

/* The association commands are for; the lock guards the pointer and what is behind it. */
static struct association *current;
static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;

static bool paused;
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;

/* ---- The stack and the socket ---- */

/* As root usrsctp would also open raw SCTP sockets and hear every SCTP packet of the machine. */
static void drop_privileges(void)
{
	if (geteuid() != 0)
		return;
	const struct passwd *nobody = getpwnam("nobody");
	if (nobody == NULL)
		die("no user nobody");
	if (setgroups(0, NULL) < 0 || setgid(nobody->pw_gid) < 0 || setuid(nobody->pw_uid) < 0)
		die("cannot become nobody: %s", strerror(errno));
}

static void start_stack(const struct options *options)
{
	drop_privileges();
	usrsctp_init(options->udp_port, NULL, NULL);
	usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
	usrsctp_sysctl_set_sctp_sendspace(4 * 1024 * 1024); /* a message must fit the send buffer */
	for (size_t i = 0; i < options->sysctl_count; i++)
		set_sysctl(options->sysctls[i]);
}

static void set_option(struct socket *socket, int option, const void *value, size_t size, const char *name)
{
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, option, value, (socklen_t)size) < 0)
		die("%s: %s", name, strerror(errno));
}
#define SET_OPTION(socket, option, value) set_option(socket, option, &(value), sizeof(value), #option)

static void set_socket_options(struct socket *socket, const struct options *options)
{
	int on = 1;
	SET_OPTION(socket, SCTP_RECVRCVINFO, on);
	SET_OPTION(socket, SCTP_NODELAY, on);
	struct sctp_initmsg init = { .sinit_num_ostreams = options->streams, .sinit_max_instreams = MAX_STREAMS };
	SET_OPTION(socket, SCTP_INITMSG, init);
	struct sctp_udpencaps encapsulation = { .sue_port = htons(options->remote_udp_port) };
	encapsulation.sue_address.ss_family = options->local[0].sa.sa_family;
	SET_OPTION(socket, SCTP_REMOTE_UDP_ENCAPS_PORT, encapsulation);
	if (options->has_adaptation) {
		struct sctp_setadaptation adaptation = { .ssb_adaptation_ind = options->adaptation };
		SET_OPTION(socket, SCTP_ADAPTATION_LAYER, adaptation);
	}
	set_extensions(socket, options);
	grant_requests(socket, options->grant);
	subscribe_to_events(socket);
}

static struct socket *open_socket(struct options *options)
{
	struct socket *socket =
		usrsctp_socket(options->local[0].sa.sa_family, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (socket == NULL)
		die("usrsctp_socket: %s", strerror(errno));
	set_socket_options(socket, options);
	for (size_t i = 0; i < options->local_count; i++) {
		struct sockaddr *address = &options->local[i].sa;
		int result = i == 0 ? usrsctp_bind(socket, address, address_size(address))
		                    : usrsctp_bindx(socket, address, 1, SCTP_BINDX_ADD_ADDR);
		if (result < 0)
			die("cannot bind local address %zu: %s", i, strerror(errno));
	}
	return socket;
}

/* ---- Sending ---- */

static bool send_so(struct socket *socket, struct sctp_sendv_spa sending, const uint8_t *data, size_t size)
{
	if (usrsctp_sendv(socket, data, size, NULL, 0, &sending, sizeof sending, SCTP_SENDV_SPA, 0) >= 0)
		return true;
	emit_error("sendv");
	return false;
}

static bool send_message(struct socket *socket, uint16_t stream, uint32_t ppid, bool unordered,
                         const uint8_t *data, size_t size)
{
	struct sctp_sendv_spa sending = {
		.sendv_flags = SCTP_SEND_SNDINFO_VALID,
		.sendv_sndinfo = {
			.snd_sid = stream,
			.snd_flags = unordered ? SCTP_UNORDERED : 0,
			.snd_ppid = htonl(ppid),
		},
	};
	return send_so(socket, sending, data, size);
}

/* Bytes that do not compress or repeat, at the cost of a copy (xorshift64*). */
static void fill(uint8_t *data, size_t size, uint64_t *state)
{
	for (size_t i = 0; i < size; i += 8) {
		*state ^= *state >> 12, *state ^= *state << 25, *state ^= *state >> 27;
		uint64_t word = *state * 0x2545F4914F6CDD1D;
		memcpy(data + i, &word, size - i < 8 ? size - i : 8);
	}
}

struct source {
	struct socket *socket;
	uint64_t bytes;
	size_t size;
	unsigned streams;
	bool unordered;
};

static void *run_source(void *argument)
{
	struct source *source = argument;
	struct tally *sent = allocate(sizeof *sent);
	uint8_t *data = allocate(source->size);
	uint64_t state = 0x9E3779B97F4A7C15;
	for (uint64_t left = source->bytes; left > 0;) {
		uint16_t stream = (uint16_t)(sent->messages % source->streams);
		size_t size = left < source->size ? (size_t)left : source->size;
		fill(data, size, &state);
		if (!send_message(source->socket, stream, SOURCE_PPID, source->unordered, data, size))
			break;
		tally_message(sent, stream, source->unordered, data, size);
		left -= size;
	}
	tally_emit(sent, "sent");
	tally_free(sent);
	free(data);
	free(source);
	return NULL;
}

/* ---- Receiving ---- */

static void handle_message(struct association *association, const struct sctp_rcvinfo *info,
                           const uint8_t *data, size_t size)
{
	bool unordered = (info->rcv_flags & SCTP_UNORDERED) != 0;
	tally_message(association->received, info->rcv_sid, unordered, data, size);
	if (association->options->log_messages) {
		struct sha256 hash;
		uint8_t digest[SHA256_SIZE];
		sha256_init(&hash);
		sha256_update(&hash, data, size);
		sha256_final(&hash, digest);
		begin_event("message");
		put(", \"stream\": %u, \"ppid\": %u, \"ssn\": %u, \"tsn\": %u", info->rcv_sid, ntohl(info->rcv_ppid),
		    info->rcv_ssn, info->rcv_tsn);
		put(", \"unordered\": %s, \"size\": %zu, \"sha256\": ", unordered ? "true" : "false", size);
		put_hex(digest, sizeof digest);
		end_event();
	}
	if (association->options->echo)
		send_message(association->socket, info->rcv_sid, ntohl(info->rcv_ppid), unordered, data, size);
}

static void handle_part(struct association *association, const struct sctp_rcvinfo *info,
                        const uint8_t *data, size_t size, bool end_of_record)
{
	if (info->rcv_sid >= MAX_STREAMS)
		die("data on stream %u, past what was agreed", info->rcv_sid);
	struct partial *partial =
		&association->partials[info->rcv_sid][(info->rcv_flags & SCTP_UNORDERED) != 0];
	if (end_of_record && partial->size == 0) {
		handle_message(association, info, data, size);
		return;
	}
	if (association->options->log_parts) {
		begin_event("part");
		put(", \"stream\": %u, \"ssn\": %u, \"size\": %zu, \"end_of_record\": %s", info->rcv_sid, info->rcv_ssn,
		    size, end_of_record ? "true" : "false");
		end_event();
	}
	if (partial->size + size > partial->capacity) {
		partial->capacity = 2 * (partial->size + size);
		partial->data = realloc(partial->data, partial->capacity);
		if (partial->data == NULL)
			die("out of memory");
	}
	memcpy(partial->data + partial->size, data, size);
	partial->size += size;
	if (end_of_record) {
		handle_message(association, info, partial->data, partial->size);
		partial->size = 0;
	}
}

static void handle_notification(struct association *association, const void *data, size_t size)
{
	const struct partial_delivery *partial = data;
	/* What has come of the message is all that comes. It is not said whether it is the ordered one. */
	if (size >= sizeof *partial && partial->type == SCTP_PARTIAL_DELIVERY_EVENT && partial->stream < MAX_STREAMS)
		for (size_t i = 0; i < 2; i++)
			association->partials[partial->stream][i].size = 0;
	emit_notification(data, size);
}

/* A reader that pauses: what comes meanwhile fills the window. */
static void wait_while_paused(void)
{
	pthread_mutex_lock(&pause_lock);
	while (paused)
		pthread_cond_wait(&resumed, &pause_lock);
	pthread_mutex_unlock(&pause_lock);
}

static void set_paused(bool value)
{
	pthread_mutex_lock(&pause_lock);
	paused = value;
	pthread_cond_broadcast(&resumed);
	pthread_mutex_unlock(&pause_lock);
}

/* One read; false at the end of the association. */
static bool receive(struct association *association, uint8_t *buffer)
{
	wait_while_paused();
	struct sctp_rcvinfo info;
	struct sockaddr_storage from;
	socklen_t from_size = sizeof from, info_size = sizeof info;
	unsigned info_type = 0;
	int flags = 0;
	ssize_t size = usrsctp_recvv(association->socket, buffer, READ_SIZE, (struct sockaddr *)&from, &from_size,
	                             &info, &info_size, &info_type, &flags);
	if (size < 0 && errno == EINTR)
		return true;
	if (size <= 0)
		return false;
	bool end_of_record = (flags & MSG_EOR) != 0;
	if (flags & MSG_NOTIFICATION) {
		if (!association->in_notification)
			handle_notification(association, buffer, (size_t)size);
		association->in_notification = !end_of_record;
	} else if (info_type == SCTP_RECVV_RCVINFO) {
		handle_part(association, &info, buffer, (size_t)size, end_of_record);
	}
	return true;
}

static void free_association(struct association *association)
{
	for (size_t stream = 0; stream < MAX_STREAMS; stream++) {
		free(association->partials[stream][0].data);
		free(association->partials[stream][1].data);
	}
	tally_free(association->received);
	free(association);
}

/* Reads until the association ends. */
static void run_association(struct socket *socket, const struct options *options)
{
	static uint8_t buffer[READ_SIZE];
	struct association *association = allocate(sizeof *association);
	association->socket = socket;
	association->options = options;
	association->received = allocate(sizeof *association->received);

	pthread_mutex_lock(&current_lock);
	current = association;
	pthread_mutex_unlock(&current_lock);

	while (receive(association, buffer))
		continue;

	pthread_mutex_lock(&current_lock);
	current = NULL;
	pthread_mutex_unlock(&current_lock);

	tally_emit(association->received, "received");
	begin_event("closed");
	end_event();
	free_association(association);
	/* The socket stays open: a source may still be about to learn that its association is gone. */
}

static void *run_role(void *argument)
{
	struct options *options = argument;
	struct socket *socket = open_socket(options);
	if (!options->server) {
		begin_event("connecting");
		end_event();
		if (usrsctp_connect(socket, &options->remote.sa, address_size(&options->remote.sa)) < 0)
			emit_error("connect");
		else
			run_association(socket, options);
		return NULL;
	}
	if (usrsctp_listen(socket, 16) < 0)
		die("listen: %s", strerror(errno));
	begin_event("listening");
	end_event();
	for (;;) {
		struct socket *accepted = usrsctp_accept(socket, NULL, NULL);
		if (accepted == NULL)
			die("accept: %s", strerror(errno));
		run_association(accepted, options);
	}
}

/* ---- Commands ---- */

static bool next_is(char **save, const char *word)
{
	const char *token = strtok_r(NULL, " ", save);
	return token != NULL && strcmp(token, word) == 0;
}

static unsigned long next_number(char **save)
{
	const char *token = strtok_r(NULL, " ", save);
	return token != NULL ? strtoul(token, NULL, 10) : 0;
}

static void command_send(struct association *association, char **save)
{
	uint16_t stream = (uint16_t)next_number(save);
	size_t size = next_number(save);
	uint32_t ppid = (uint32_t)next_number(save);
	uint8_t *data = allocate(size);
	uint64_t state = size + 1;
	fill(data, size, &state);
	struct sctp_sendv_spa sending = parse_sending(save);
	sending.sendv_sndinfo.snd_sid = stream;
	sending.sendv_sndinfo.snd_ppid = htonl(ppid);
	send_so(association->socket, sending, data, size);
	free(data);
}

static void command_source(struct association *association, char **save)
{
	struct source *source = allocate(sizeof *source);
	source->socket = association->socket;
	source->bytes = next_number(save);
	source->size = next_number(save);
	source->streams = (unsigned)next_number(save);
	source->unordered = next_is(save, "unordered");
	if (source->size == 0 || source->streams == 0 || source->streams > MAX_STREAMS)
		die("source wants BYTES SIZE STREAMS");
	pthread_t thread;
	if (pthread_create(&thread, NULL, run_source, source) != 0 || pthread_detach(thread) != 0)
		die("cannot start a thread");
}

static void command_report(struct association *association, char **save)
{
	(void)save;
	tally_emit(association->received, "received");
}

static void put_path(const char *separator, struct socket *socket, const struct sockaddr *address, socklen_t size)
{
	struct sctp_paddrinfo path = { 0 };
	socklen_t path_size = sizeof path;
	memcpy(&path.spinfo_address, address, size);
	if (usrsctp_getsockopt(socket, IPPROTO_SCTP, SCTP_GET_PEER_ADDR_INFO, &path, &path_size) < 0)
		return;
	put("%s{\"rto_ms\": %u", separator, path.spinfo_rto);
	put_address("address", address);
	put_string("state", path.spinfo_state == SCTP_ACTIVE     ? "ACTIVE"
	                    : path.spinfo_state == SCTP_INACTIVE ? "INACTIVE"
	                                                         : "UNCONFIRMED");
	put(", \"cwnd\": %u, \"srtt_ms\": %u, \"mtu\": %u}", path.spinfo_cwnd, path.spinfo_srtt, path.spinfo_mtu);
}

static void command_status(struct association *association, char **save)
{
	(void)save;
	struct sctp_status status = { 0 };
	socklen_t size = sizeof status;
	if (usrsctp_getsockopt(association->socket, IPPROTO_SCTP, SCTP_STATUS, &status, &size) < 0) {
		emit_error("SCTP_STATUS");
		return;
	}
	begin_event("status");
	put(", \"inbound_streams\": %u, \"outbound_streams\": %u", status.sstat_instrms, status.sstat_outstrms);
	put_address("primary", (struct sockaddr *)&status.sstat_primary.spinfo_address);
	put(", \"paths\": [");
	struct sockaddr *addresses = NULL;
	int count = usrsctp_getpaddrs(association->socket, 0, &addresses);
	const struct sockaddr *address = addresses;
	for (int i = 0; i < count; i++) {
		socklen_t address_length = address_size(address);
		put_path(i > 0 ? ", " : "", association->socket, address, address_length);
		address = (const struct sockaddr *)((const uint8_t *)address + address_length);
	}
	if (count > 0)
		usrsctp_freepaddrs(addresses);
	put("]");
	end_event();
}

static void command_primary(struct association *association, char **save)
{
	const char *address = strtok_r(NULL, " ", save);
	union sctp_sockstore parsed = parse_address(address != NULL ? address : "");
	struct sctp_setprim primary = { 0 };
	memcpy(&primary.ssp_addr, &parsed, sizeof parsed);
	if (usrsctp_setsockopt(association->socket, IPPROTO_SCTP, SCTP_PRIMARY_ADDR, &primary, sizeof primary) < 0)
		emit_error("SCTP_PRIMARY_ADDR");
}

static void run_reset(struct association *association, char **save)
{
	command_reset(association->socket, save);
}

static void run_reset_association(struct association *association, char **save)
{
	(void)save;
	command_reset_association(association->socket);
}

static void run_add_streams(struct association *association, char **save)
{
	command_add_streams(association->socket, save);
}

static void run_pause(struct association *association, char **save)
{
	(void)association, (void)save;
	set_paused(true);
}

static void run_resume(struct association *association, char **save)
{
	(void)association, (void)save;
	set_paused(false);
}

static void run_ss_value(struct association *association, char **save)
{
	command_ss_value(association->socket, save);
}

static void run_set_scheduler(struct association *association, char **save)
{
	command_set_scheduler(association->socket, save);
}

static void run_pr_status(struct association *association, char **save)
{
	(void)save;
	command_pr_status(association->socket);
}

static void command_shutdown(struct association *association, char **save)
{
	(void)save;
	if (usrsctp_shutdown(association->socket, SHUT_WR) < 0)
		emit_error("shutdown");
}

static void command_abort(struct association *association, char **save)
{
	const char *reason = strtok_r(NULL, "", save);
	if (reason == NULL)
		reason = "";
	struct sctp_sndinfo info = { .snd_flags = SCTP_ABORT };
	if (usrsctp_sendv(association->socket, reason, strlen(reason), NULL, 0, &info, sizeof info,
	                  SCTP_SENDV_SNDINFO, 0) < 0)
		emit_error("abort");
}

static void run_command(char *line)
{
	static const struct {
		const char *name;
		void (*run)(struct association *association, char **save);
	} commands[] = {
		{ "send", command_send },       { "source", command_source },   { "report", command_report },
		{ "status", command_status },   { "primary", command_primary }, { "shutdown", command_shutdown },
		{ "abort", command_abort },
		{ "reset", run_reset },
		{ "reset_association", run_reset_association },
		{ "add_streams", run_add_streams },
		{ "pause", run_pause },
		{ "resume", run_resume },
		{ "ss_value", run_ss_value },
		{ "set_scheduler", run_set_scheduler },
		{ "pr_status", run_pr_status },
	};
	char *save = NULL;
	const char *name = strtok_r(line, " ", &save);
	if (name == NULL)
		return;
	pthread_mutex_lock(&current_lock);
	size_t i = 0, count = sizeof commands / sizeof *commands;
	while (i < count && strcmp(commands[i].name, name) != 0)
		i++;
	if (i == count || current == NULL) {
		errno = i == count ? EINVAL : ENOTCONN;
		emit_error(name);
	} else {
		commands[i].run(current, &save);
	}
	pthread_mutex_unlock(&current_lock);
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	start_stack(&options);

	pthread_t role;
	if (pthread_create(&role, NULL, run_role, &options) != 0)
		die("cannot start a thread");

	char *line = NULL;
	size_t capacity = 0;
	for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0;) {
		line[strcspn(line, "\n")] = '\0';
		run_command(line);
	}
	fflush(stdout);
	_exit(EXIT_SUCCESS); /* without usrsctp_finish, which would wait for associations to end */
}
