/* usrsctp's side of a job: `usrsctp NAME=VALUE...`, the words of job.py.
 *
 * It is written to be as fast as usrsctp goes. Messages are taken by the receive callback, in usrsctp's own receive
 * thread: a thread blocked in usrsctp_recvv, which has to be woken, gets a tenth to a half less. They are sent by
 * blocking calls, one a message. SCTP_NODELAY is off where messages stream, which is faster here at every size, and
 * on in the ping-pong, where it makes no difference or is faster. What happens is one JSON object a line on standard
 * output. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <usrsctp.h>

/* As in job.py: the same for every side. */
#define HOST "127.0.0.1"
#define SCTP_PORT 5001
#define RECEIVE_WINDOW_BYTES (1024 * 1024)
#define SEND_BUFFER_BYTES (1024 * 1024)
#define UDP_BUFFER_BYTES (4 * 1024 * 1024)
#define MESSAGES_PER_LOOK 16
#define GRACE_S 30

#define BACKLOG 4096
/* A server closes an association so many later than it took it: the client has long ended it by then. */
#define HELD 4096
#define MAX_ROUND_TRIPS 10000000
/* As in requests.py. */
#define ANSWER_BYTES 64
#define MAX_IN_FLIGHT 4096

struct job {
	const char *side, *task;
	unsigned udp_port, remote_udp_port, message_bytes, streams, unordered, at_a_time, associations, in_flight;
	double warm_up_s, seconds;
};

static struct job job;

static _Noreturn void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "usrsctp: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(arguments);
	exit(EXIT_FAILURE);
}

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);
	if (memory == NULL)
		die("out of memory");
	return memory;
}

static double clock_s(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- The job ---- */

static const char *word(int argc, char **argv, const char *name)
{
	size_t length = strlen(name);
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			return argv[i] + length + 1;
	errno = EINVAL;
	die("no %s=", name);
}

static unsigned number(int argc, char **argv, const char *name)
{
	return (unsigned)strtoul(word(argc, argv, name), NULL, 10);
}

static void read_job(int argc, char **argv)
{
	job.side = word(argc, argv, "side");
	job.task = word(argc, argv, "task");
	job.udp_port = number(argc, argv, "udp_port");
	job.remote_udp_port = number(argc, argv, "remote_udp_port");
	job.message_bytes = number(argc, argv, "message_bytes");
	job.streams = number(argc, argv, "streams");
	job.unordered = number(argc, argv, "unordered");
	job.at_a_time = number(argc, argv, "at_a_time");
	job.associations = number(argc, argv, "associations");
	job.in_flight = number(argc, argv, "in_flight");
	job.warm_up_s = strtod(word(argc, argv, "warm_up_s"), NULL);
	job.seconds = strtod(word(argc, argv, "seconds"), NULL);
	alarm((unsigned)(job.warm_up_s + job.seconds) + GRACE_S);
}

/* ---- Measuring ---- */

/* Counts from `warm_up_s` after the first message on, for `seconds`, and then tells the result. Only ever used by one
 * thread. */
static struct {
	uint64_t messages, bytes;
	unsigned unseen;
	double warm_at, begun, cpu_s;
	bool told;
} meter;

static void meter_look(void)
{
	double now = clock_s(CLOCK_MONOTONIC);
	if (meter.warm_at == 0) {
		meter.warm_at = now + job.warm_up_s;
		printf("{\"event\": \"first\"}\n");
	} else if (meter.begun == 0) {
		if (now < meter.warm_at)
			return;
		meter.begun = now;
		meter.messages = meter.bytes = 0;
		meter.cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
		printf("{\"event\": \"begun\"}\n");
	} else if (now >= meter.begun + job.seconds && !meter.told) {
		double seconds = now - meter.begun;
		meter.told = true;
		printf("{\"event\": \"result\", \"seconds\": %.6f, \"messages\": %llu, \"bytes\": %llu, \"cpu\": %.4f}\n",
		       seconds, (unsigned long long)meter.messages, (unsigned long long)meter.bytes,
		       (clock_s(CLOCK_PROCESS_CPUTIME_ID) - meter.cpu_s) / seconds);
	}
}

static void meter_add(size_t bytes, bool is_end_of_message, unsigned messages_per_look)
{
	meter.bytes += bytes;
	if (!is_end_of_message)
		return;
	meter.messages++;
	if (++meter.unseen < messages_per_look)
		return;
	meter.unseen = 0;
	meter_look();
}

static struct {
	double begins, sent_at, begun, cpu_s;
	float *times;
	size_t count;
} round_trips;

static int compare(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;
	return (a > b) - (a < b);
}

static double percentile_us(unsigned percent)
{
	size_t index = round_trips.count * percent / 100;
	return round_trips.times[index < round_trips.count ? index : round_trips.count - 1] * 1e6;
}

static void round_trip_over(void)
{
	double now = clock_s(CLOCK_MONOTONIC);
	if (round_trips.sent_at < round_trips.begins || round_trips.times == NULL)
		return;
	if (round_trips.count == 0) {
		round_trips.begun = now;
		round_trips.cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
		printf("{\"event\": \"begun\"}\n");
	}
	if (round_trips.count < MAX_ROUND_TRIPS)
		round_trips.times[round_trips.count++] = (float)(now - round_trips.sent_at);
	if (now < round_trips.begins + job.seconds)
		return;
	double seconds = now - round_trips.begun;
	double cpu = (clock_s(CLOCK_PROCESS_CPUTIME_ID) - round_trips.cpu_s) / seconds;
	qsort(round_trips.times, round_trips.count, sizeof *round_trips.times, compare);
	printf("{\"event\": \"result\", \"seconds\": %.6f, \"cpu\": %.4f, \"messages\": %zu, \"p50_us\": %.3f, "
	       "\"p99_us\": %.3f}\n", seconds, cpu, round_trips.count, percentile_us(50), percentile_us(99));
	round_trips.times = NULL; /* told; the process is ended by its runner */
}

/* ---- The stack ---- */

/* As root usrsctp would also open raw SCTP sockets and hear every SCTP packet of the machine. Only its buffers, as large
 * as those of the others, take root: so it begins as nobody, and is root once more for them. */
static void begin_as_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	if (nobody == NULL || setgroups(0, NULL) < 0 || setgid(nobody->pw_gid) < 0 || seteuid(nobody->pw_uid) < 0)
		die("cannot become nobody");
}

static void stay_nobody(void)
{
	if (setuid(getpwnam("nobody")->pw_uid) < 0)
		die("cannot stay nobody");
}

static void enlarge(int fd, int option, int force_option)
{
	const int size = UDP_BUFFER_BYTES;
	if (setsockopt(fd, SOL_SOCKET, force_option, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
}

/* usrsctp has no setting for the buffers of its UDP sockets. */
static void widen_udp_buffers(void)
{
	for (int fd = 3; fd < 64; fd++) {
		enlarge(fd, SO_RCVBUF, SO_RCVBUFFORCE);
		enlarge(fd, SO_SNDBUF, SO_SNDBUFFORCE);
	}
}

static void start_stack(void)
{
	const bool is_root = geteuid() == 0;
	if (is_root)
		begin_as_nobody();
	usrsctp_init((uint16_t)job.udp_port, NULL, NULL);
	if (is_root && seteuid(0) < 0)
		die("seteuid");
	widen_udp_buffers();
	if (is_root)
		stay_nobody();
	usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
	usrsctp_sysctl_set_sctp_sendspace(SEND_BUFFER_BYTES);
	usrsctp_sysctl_set_sctp_recvspace(RECEIVE_WINDOW_BYTES);
}

#define SET_OPTION(socket, option, value)                                                                  \
	do {                                                                                               \
		if (usrsctp_setsockopt(socket, IPPROTO_SCTP, option, &(value), sizeof(value)) < 0)         \
			die(#option);                                                                      \
	} while (0)

static void set_linger(struct socket *socket)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 }; /* closing is an ABORT */
	if (usrsctp_setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0)
		die("SO_LINGER");
}

typedef int receive_callback(struct socket *socket, union sctp_sockstore from, void *data, size_t size,
                             struct sctp_rcvinfo info, int flags, void *argument);

static struct sockaddr_in address(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, HOST, &address.sin_addr);
	return address;
}

static struct socket *open_socket(receive_callback *callback)
{
	struct socket *socket = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, callback, NULL, 0, NULL);
	if (socket == NULL)
		die("usrsctp_socket");
	/* Small messages wait for a packet to fill, unless the next one waits for this one. */
	const int nodelay = strcmp(job.task, "ping_pong") == 0;
	SET_OPTION(socket, SCTP_NODELAY, nodelay);
	struct sctp_initmsg init = { .sinit_num_ostreams = (uint16_t)job.streams, .sinit_max_instreams = 65535 };
	SET_OPTION(socket, SCTP_INITMSG, init);
	struct sctp_udpencaps encapsulation = { .sue_port = htons((uint16_t)job.remote_udp_port) };
	encapsulation.sue_address.ss_family = AF_INET;
	SET_OPTION(socket, SCTP_REMOTE_UDP_ENCAPS_PORT, encapsulation);
	set_linger(socket);
	struct sockaddr_in local = address(strcmp(job.side, "receiver") == 0 ? SCTP_PORT : 0);
	if (usrsctp_bind(socket, (struct sockaddr *)&local, sizeof local) < 0)
		die("usrsctp_bind");
	return socket;
}

static struct socket *connect_socket(receive_callback *callback)
{
	struct socket *socket = open_socket(callback);
	struct sockaddr_in remote = address(SCTP_PORT);
	if (usrsctp_connect(socket, (struct sockaddr *)&remote, sizeof remote) < 0)
		die("usrsctp_connect");
	return socket;
}

static bool send_message(struct socket *socket, const uint8_t *data, size_t size, unsigned stream)
{
	struct sctp_sndinfo info = { .snd_sid = (uint16_t)stream, .snd_flags = job.unordered ? SCTP_UNORDERED : 0 };
	return usrsctp_sendv(socket, data, size, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) >= 0;
}

/* ---- The receiver ---- */

static int count(struct socket *socket, union sctp_sockstore from, void *data, size_t size, struct sctp_rcvinfo info,
                 int flags, void *argument)
{
	(void)socket, (void)from, (void)info, (void)argument;
	if (data == NULL)
		return 1;
	if (!(flags & MSG_NOTIFICATION))
		meter_add(size, flags & MSG_EOR, MESSAGES_PER_LOOK);
	free(data);
	return 1;
}

static int echo(struct socket *socket, union sctp_sockstore from, void *data, size_t size, struct sctp_rcvinfo info,
                int flags, void *argument)
{
	(void)from, (void)info, (void)argument;
	if (data == NULL)
		return 1;
	if (!(flags & MSG_NOTIFICATION) && !send_message(socket, data, size, 0))
		die("echo");
	free(data);
	return 1;
}

static int answer(struct socket *socket, union sctp_sockstore from, void *data, size_t size, struct sctp_rcvinfo info,
                  int flags, void *argument)
{
	static const uint8_t reply[ANSWER_BYTES];
	(void)from, (void)size, (void)info, (void)argument;
	if (data == NULL)
		return 1;
	if (!(flags & MSG_NOTIFICATION) && (flags & MSG_EOR) && !send_message(socket, reply, sizeof reply, 0))
		die("answer");
	free(data);
	return 1;
}

static void serve(receive_callback *callback)
{
	static struct socket *held[HELD];
	struct socket *listening = open_socket(callback);
	if (usrsctp_listen(listening, BACKLOG) < 0)
		die("usrsctp_listen");
	printf("{\"event\": \"ready\"}\n");
	bool is_to_hold = strcmp(job.task, "hold") == 0;
	for (size_t i = 0;; i = (i + 1) % HELD) {
		struct socket *accepted = usrsctp_accept(listening, NULL, NULL);
		if (accepted == NULL)
			die("usrsctp_accept");
		if (is_to_hold)
			continue;
		if (held[i] != NULL)
			usrsctp_close(held[i]);
		held[i] = accepted;
	}
}

/* ---- The sender ---- */

static void source(void)
{
	struct socket *socket = connect_socket(NULL);
	uint8_t *data = allocate(job.message_bytes);
	for (unsigned stream = 0;; stream = (stream + 1) % job.streams)
		if (!send_message(socket, data, job.message_bytes, stream))
			die("usrsctp_sendv");
}

static int pong(struct socket *socket, union sctp_sockstore from, void *data, size_t size, struct sctp_rcvinfo info,
                int flags, void *argument)
{
	(void)from, (void)info, (void)argument;
	if (data == NULL)
		return 1;
	if (!(flags & MSG_NOTIFICATION)) {
		round_trip_over();
		round_trips.sent_at = clock_s(CLOCK_MONOTONIC);
		if (!send_message(socket, data, size, 0))
			die("ping");
	}
	free(data);
	return 1;
}

static void ping(void)
{
	uint8_t *data = allocate(job.message_bytes);
	round_trips.times = allocate(MAX_ROUND_TRIPS * sizeof *round_trips.times);
	round_trips.begins = clock_s(CLOCK_MONOTONIC) + job.warm_up_s;
	struct socket *socket = connect_socket(pong);
	if (!send_message(socket, data, job.message_bytes, 0))
		die("ping");
	for (;;)
		pause();
}

/* Those under way, in the order in which they were sent and are answered; counted as in requests.py. */
static struct {
	pthread_mutex_t lock;
	double begins, sent_at[MAX_IN_FLIGHT];
	size_t next;
	uint8_t *data;
} requests = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void tell_requests(void)
{
	qsort(round_trips.times, round_trips.count, sizeof *round_trips.times, compare);
	printf("{\"event\": \"result\", \"seconds\": %.6f, \"messages\": %zu, \"bytes\": %llu, \"p50_us\": %.3f, "
	       "\"p99_us\": %.3f}\n",
	       job.seconds, round_trips.count, (unsigned long long)round_trips.count * job.message_bytes,
	       round_trips.count > 0 ? percentile_us(50) : 0, round_trips.count > 0 ? percentile_us(99) : 0);
	round_trips.times = NULL; /* told; the process is ended by its runner */
}

static void request_answered(double now)
{
	if (round_trips.times == NULL || now < requests.begins)
		return;
	if (now >= requests.begins + job.seconds)
		tell_requests();
	else if (round_trips.count < MAX_ROUND_TRIPS)
		round_trips.times[round_trips.count++] = (float)(now - requests.sent_at[requests.next]);
}

static int answered(struct socket *socket, union sctp_sockstore from, void *data, size_t size,
                    struct sctp_rcvinfo info, int flags, void *argument)
{
	(void)from, (void)size, (void)info, (void)argument;
	if (data == NULL)
		return 1;
	if (!(flags & MSG_NOTIFICATION)) {
		double now = clock_s(CLOCK_MONOTONIC);
		/* Not before all of the first ones have been sent. */
		pthread_mutex_lock(&requests.lock);
		request_answered(now);
		requests.sent_at[requests.next] = now;
		requests.next = (requests.next + 1) % job.in_flight;
		if (!send_message(socket, requests.data, job.message_bytes, 0))
			die("request");
		pthread_mutex_unlock(&requests.lock);
	}
	free(data);
	return 1;
}

static void request(void)
{
	if (job.in_flight > MAX_IN_FLIGHT)
		die("in_flight is too large");
	requests.data = allocate(job.message_bytes);
	round_trips.times = allocate(MAX_ROUND_TRIPS * sizeof *round_trips.times);
	struct socket *socket = connect_socket(answered);
	pthread_mutex_lock(&requests.lock);
	requests.begins = clock_s(CLOCK_MONOTONIC) + job.warm_up_s;
	for (unsigned i = 0; i < job.in_flight; i++) {
		requests.sent_at[i] = clock_s(CLOCK_MONOTONIC);
		if (!send_message(socket, requests.data, job.message_bytes, 0))
			die("request");
	}
	pthread_mutex_unlock(&requests.lock);
	for (;;)
		pause();
}

/* Sockets that are connected, or have failed to be: at most as many as are connecting at a time. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct socket **sockets;
	size_t count;
} done = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

static void connected(struct socket *socket, void *argument, int flags)
{
	bool *is_done = argument;
	(void)flags;
	if (*is_done || !(usrsctp_get_events(socket) & (SCTP_EVENT_WRITE | SCTP_EVENT_ERROR)))
		return;
	*is_done = true;
	pthread_mutex_lock(&done.lock);
	done.sockets[done.count++] = socket;
	pthread_cond_signal(&done.filled);
	pthread_mutex_unlock(&done.lock);
}

static void begin_handshake(void)
{
	struct socket *socket = open_socket(NULL);
	bool *is_done = allocate(sizeof *is_done);
	struct sockaddr_in remote = address(SCTP_PORT);
	usrsctp_set_non_blocking(socket, 1);
	usrsctp_set_ulpinfo(socket, is_done);
	usrsctp_set_upcall(socket, connected, is_done);
	if (usrsctp_connect(socket, (struct sockaddr *)&remote, sizeof remote) < 0 && errno != EINPROGRESS)
		die("usrsctp_connect");
}

static void shake_hands(void)
{
	struct socket **taken = allocate(job.at_a_time * sizeof *taken);
	done.sockets = allocate(job.at_a_time * sizeof *taken);
	for (unsigned i = 0; i < job.at_a_time; i++)
		begin_handshake();
	for (;;) {
		pthread_mutex_lock(&done.lock);
		while (done.count == 0)
			pthread_cond_wait(&done.filled, &done.lock);
		size_t count = done.count;
		memcpy(taken, done.sockets, count * sizeof *taken);
		done.count = 0;
		pthread_mutex_unlock(&done.lock);
		for (size_t i = 0; i < count; i++) {
			void *is_done = NULL;
			usrsctp_get_ulpinfo(taken[i], &is_done);
			usrsctp_set_upcall(taken[i], NULL, NULL);
			usrsctp_close(taken[i]);
			free(is_done);
			meter_add(0, true, 1);
			begin_handshake();
		}
	}
}

static void hold(void)
{
	for (unsigned i = 0; i < job.associations; i++)
		connect_socket(NULL);
	printf("{\"event\": \"held\", \"associations\": %u}\n", job.associations);
	for (;;)
		pause();
}

/* ---- Which side of which task ---- */

static bool is_task(const char *side, const char *task)
{
	return strcmp(job.side, side) == 0 && strcmp(job.task, task) == 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_job(argc, argv);
	start_stack();
	if (is_task("receiver", "bulk"))
		serve(count);
	else if (is_task("receiver", "ping_pong"))
		serve(echo);
	else if (is_task("receiver", "requests"))
		serve(answer);
	else if (strcmp(job.side, "receiver") == 0)
		serve(NULL);
	else if (is_task("sender", "bulk"))
		source();
	else if (is_task("sender", "ping_pong"))
		ping();
	else if (is_task("sender", "requests"))
		request();
	else if (is_task("sender", "handshakes"))
		shake_hands();
	else if (is_task("sender", "hold"))
		hold();
	errno = EINVAL;
	die("no such task: %s", job.task);
}
