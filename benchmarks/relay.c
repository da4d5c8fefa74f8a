/*
 * A network between two peers that holds every packet back for a while and loses some, by a seed.
 *
 * As words name=value:
 *   udp: first=PORT second=PORT for_first=PORT for_second=PORT. What comes from the first peer to for_first goes from
 *        for_second to the second peer, and the other way round, all on 127.0.0.1.
 *   tun: first_net=PATH second_net=PATH, two network namespaces. Each gets an interface tun0, and the IP packets of one
 *        come out of the other, whatever protocol they are of.
 *   delay_us=N each way; loss_ppm=N packets in a million, in each direction; seed=N; spared=N: as many packets of each
 *   direction, from the first on, are not lost, so that the handshake is not; life_s=N: then it ends by itself.
 *
 * Whether a packet is lost depends on the seed, the direction and how many packets came before it in that direction,
 * and on nothing else. It says {"event": "relaying"}, and for each SIGUSR1 {"event": "carried"} with its counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_BYTES 2048
#define QUEUE_PACKETS 16384
#define BATCH 64
#define SOCKET_BUFFER_BYTES (4 * 1024 * 1024)

struct packet {
	uint64_t due_ns;
	size_t bytes;
	unsigned char data[PACKET_BYTES];
};

/* What goes from one peer to the other. The delay is the same for all, so that the queue is in the order of time. */
struct direction {
	int in, out;
	uint64_t number; /* 0 or 1: part of what decides on a loss */
	uint64_t came, lost, overflowed, sent;
	struct packet *queue;
	size_t head, count;
};

static uint64_t delay_ns, loss_ppm, seed, spared;
static volatile sig_atomic_t asked;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The finalizer of splitmix64: every bit of the argument changes half of the result's. */
static uint64_t
mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
	value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
	return value ^ (value >> 31);
}

static bool
is_lost(const struct direction *direction, uint64_t packet)
{
	uint64_t drawn = mix(mix(mix(seed) + direction->number) + packet);

	return packet >= spared && drawn % 1000000 < loss_ppm;
}

static struct packet *
tail(struct direction *direction)
{
	return &direction->queue[(direction->head + direction->count) % QUEUE_PACKETS];
}

/* A packet of so many bytes has been read into the tail of the queue: keep it there, or lose it. */
static void
arrived(struct direction *direction, size_t bytes, uint64_t now)
{
	struct packet *packet = tail(direction);

	if (is_lost(direction, direction->came++)) {
		direction->lost++;
		return;
	}
	packet->bytes = bytes;
	packet->due_ns = now + delay_ns;
	direction->count++;
}

/* One packet; false when there is none. What is larger than we hold is lost. */
static bool
read_some(struct direction *direction)
{
	static unsigned char spill[PACKET_BYTES];
	bool is_full = direction->count == QUEUE_PACKETS;
	ssize_t bytes = read(direction->in, is_full ? spill : tail(direction)->data, PACKET_BYTES);

	if (bytes < 0)
		return errno == ECONNREFUSED; /* told of a packet sent before the peer was there */
	if (is_full || bytes == PACKET_BYTES)
		direction->overflowed++;
	else
		arrived(direction, (size_t)bytes, now_ns());
	return true;
}

static void
drain(struct direction *direction)
{
	for (int reads = 0; reads < BATCH && read_some(direction); reads++)
		;
}

/* Pass on what is due. What the other side does not take is lost, as on any network. */
static void
pass_on(struct direction *direction)
{
	uint64_t now = now_ns();

	while (direction->count > 0) {
		struct packet *packet = &direction->queue[direction->head];

		if (packet->due_ns > now)
			return;
		if (write(direction->out, packet->data, packet->bytes) == (ssize_t)packet->bytes)
			direction->sent++;
		else
			direction->overflowed++;
		direction->head = (direction->head + 1) % QUEUE_PACKETS;
		direction->count--;
	}
}

/* Until the first packet of the two queues is due. */
static struct timespec *
wait_time(const struct direction *directions, struct timespec *wait)
{
	uint64_t due = UINT64_MAX, now = now_ns();

	for (int i = 0; i < 2; i++) {
		const struct direction *each = &directions[i];

		if (each->count > 0 && each->queue[each->head].due_ns < due)
			due = each->queue[each->head].due_ns;
	}
	if (due == UINT64_MAX)
		return NULL;
	due = due > now ? due - now : 0;
	wait->tv_sec = (time_t)(due / 1000000000u);
	wait->tv_nsec = (long)(due % 1000000000u);
	return wait;
}

/* What the kernel dropped because we did not read it in time: it never came to us. A tun device does not say. */
static uint64_t
dropped_unread(int descriptor)
{
	uint32_t memory[SK_MEMINFO_VARS];
	socklen_t size = sizeof(memory);

	if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0 || size < sizeof(memory))
		return 0;
	return memory[SK_MEMINFO_DROPS];
}

static void
tell(const struct direction *directions)
{
	uint64_t came = 0, lost = 0, overflowed = 0, sent = 0;

	for (int i = 0; i < 2; i++) {
		came += directions[i].came;
		lost += directions[i].lost;
		overflowed += directions[i].overflowed + dropped_unread(directions[i].in);
		sent += directions[i].sent;
	}
	printf("{\"event\": \"carried\", \"came\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"overflowed\": %" PRIu64
	       ", \"sent\": %" PRIu64 "}\n", came, lost, overflowed, sent);
	fflush(stdout);
}

static void
relay(struct direction *directions)
{
	struct pollfd polls[2];
	struct timespec wait;
	sigset_t none;

	sigemptyset(&none);
	for (int i = 0; i < 2; i++)
		polls[i] = (struct pollfd){.fd = directions[i].in, .events = POLLIN};
	for (;;) {
		if (ppoll(polls, 2, wait_time(directions, &wait), &none) < 0 && errno != EINTR)
			fail("ppoll");
		if (asked) {
			asked = 0;
			tell(directions);
		}
		for (int i = 0; i < 2; i++) {
			drain(&directions[i]);
			pass_on(&directions[i]);
		}
	}
}

static void
on_signal(int number)
{
	(void)number;
	asked = 1;
}

/* The value of a word of the command line; NULL when it is not there. */
static const char *
word(char **words, const char *name)
{
	size_t length = strlen(name);

	for (; *words != NULL; words++)
		if (strncmp(*words, name, length) == 0 && (*words)[length] == '=')
			return *words + length + 1;
	return NULL;
}

static uint64_t
number(char **words, const char *name)
{
	const char *value = word(words, name);
	char *end;
	uint64_t found;

	if (value == NULL) {
		fprintf(stderr, "%s is missing\n", name);
		exit(2);
	}
	found = strtoull(value, &end, 10);
	if (*value == '\0' || *end != '\0') {
		fprintf(stderr, "%s is no number: %s\n", name, value);
		exit(2);
	}
	return found;
}

static struct sockaddr_in
loopback(uint64_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* A UDP socket on one port that talks to another. */
static int
udp(uint64_t port, uint64_t peer_port)
{
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = SOCKET_BUFFER_BYTES;
	struct sockaddr_in own = loopback(port), peer = loopback(peer_port);

	if (descriptor < 0)
		fail("socket");
	/* Past net.core.rmem_max and wmem_max where that is permitted. */
	if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(descriptor, (struct sockaddr *)&own, sizeof(own)) < 0)
		fail("bind");
	if (connect(descriptor, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		fail("connect");
	return descriptor;
}

/* The interface tun0 of a network namespace. */
static int
tun(const char *namespace)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int net = open(namespace, O_RDONLY), descriptor;

	if (net < 0 || setns(net, CLONE_NEWNET) < 0)
		fail(namespace);
	close(net);
	descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (descriptor < 0)
		fail("/dev/net/tun");
	strcpy(request.ifr_name, "tun0");
	if (ioctl(descriptor, TUNSETIFF, &request) < 0)
		fail("TUNSETIFF");
	return descriptor;
}

int
main(int argc, char **argv)
{
	struct direction directions[2] = {{.number = 0}, {.number = 1}};
	char **words = argv + 1;
	int first, second;
	sigset_t usr1;

	(void)argc;
	alarm((unsigned)number(words, "life_s"));
	prctl(PR_SET_TIMERSLACK, 1ul);
	delay_ns = number(words, "delay_us") * 1000;
	loss_ppm = number(words, "loss_ppm");
	seed = number(words, "seed");
	spared = number(words, "spared");
	if (word(words, "first_net") != NULL && word(words, "second_net") != NULL) {
		first = tun(word(words, "first_net"));
		second = tun(word(words, "second_net"));
	} else {
		first = udp(number(words, "for_first"), number(words, "first"));
		second = udp(number(words, "for_second"), number(words, "second"));
	}
	directions[0].in = directions[1].out = first;
	directions[1].in = directions[0].out = second;
	for (int i = 0; i < 2; i++) {
		directions[i].queue = calloc(QUEUE_PACKETS, sizeof(struct packet));
		if (directions[i].queue == NULL)
			fail("calloc");
	}
	/* Heard only while it waits in ppoll, so that none is missed. */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, on_signal);
	printf("{\"event\": \"relaying\"}\n");
	fflush(stdout);
	relay(directions);
	return 0;
}
