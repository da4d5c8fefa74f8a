/* The command line of the peer. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <usrsctp.h>

#define MAX_ADDRESSES 8
#define MAX_SYSCTLS 32

struct options {
	bool server;
	bool echo;         /* send every message back */
	bool log_messages; /* one event for each message */
	bool interleaving; /* RFC 8260 */
	bool log_parts;    /* one event for each part of a message that comes in parts */
	bool explicit_eor; /* a message ends where a command says so */
	uint32_t scheduler; /* SCTP_SS_* */
	uint32_t partial_delivery_point; /* 0: usrsctp's own */
	uint16_t udp_port, remote_udp_port;
	uint16_t port, remote_port;
	uint16_t streams;
	uint32_t grant; /* SCTP_ENABLE_*_REQ: the requests of RFC 6525 that are granted */
	uint32_t adaptation;
	bool has_adaptation;
	size_t local_count;
	union sctp_sockstore local[MAX_ADDRESSES];
	union sctp_sockstore remote;
	/* Wait for usrsctp_init, which wants the UDP port. */
	size_t sysctl_count;
	char *sysctls[MAX_SYSCTLS];
};

/* Ends the program with a message when the command line is wrong, as do the next two. */
struct options parse_options(int argc, char **argv);

/* "sctp_rto_min_default=100" */
void set_sysctl(char *assignment);

union sctp_sockstore parse_address(const char *text);

socklen_t address_size(const struct sockaddr *address);

#endif
