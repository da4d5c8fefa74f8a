#define _GNU_SOURCE
#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "extensions.h"

static const struct {
	const char *name;
	int (*set)(uint32_t value);
} SYSCTLS[] = {
#define SYSCTL(name) { #name, usrsctp_sysctl_set_##name }
	SYSCTL(sctp_asconf_enable),
	SYSCTL(sctp_assoc_rtx_max_default),
	SYSCTL(sctp_auth_enable),
	SYSCTL(sctp_delayed_sack_time_default),
	SYSCTL(sctp_ecn_enable),
	SYSCTL(sctp_heartbeat_interval_default),
	SYSCTL(sctp_init_rtx_max_default),
	SYSCTL(sctp_nrsack_enable),
	SYSCTL(sctp_path_rtx_max_default),
	SYSCTL(sctp_pr_enable),
	SYSCTL(sctp_reconfig_enable),
	SYSCTL(sctp_recvspace),
	SYSCTL(sctp_rto_initial_default),
	SYSCTL(sctp_rto_max_default),
	SYSCTL(sctp_rto_min_default),
	SYSCTL(sctp_sendspace),
#undef SYSCTL
};

void set_sysctl(char *assignment)
{
	const char *name = strtok(assignment, "=");
	const char *value = strtok(NULL, "");
	for (size_t i = 0; i < sizeof SYSCTLS / sizeof *SYSCTLS; i++) {
		if (name == NULL || value == NULL || strcmp(name, SYSCTLS[i].name) != 0)
			continue;
		if (SYSCTLS[i].set((uint32_t)strtoul(value, NULL, 10)) < 0)
			die("usrsctp refuses %s=%s", name, value);
		return;
	}
	die("unknown sysctl, or no value: %s", name);
}

union sctp_sockstore parse_address(const char *text)
{
	union sctp_sockstore address = { .sin6 = { 0 } };
	if (inet_pton(AF_INET, text, &address.sin.sin_addr) == 1)
		address.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &address.sin6.sin6_addr) == 1)
		address.sa.sa_family = AF_INET6;
	else
		die("not an address: %s", text);
	return address;
}

static void append_local(struct options *options, const char *text)
{
	if (options->local_count == MAX_ADDRESSES)
		die("more than %d addresses", MAX_ADDRESSES);
	options->local[options->local_count++] = parse_address(text);
}

static void set_port(union sctp_sockstore *address, uint16_t port)
{
	if (address->sa.sa_family == AF_INET)
		address->sin.sin_port = htons(port);
	else
		address->sin6.sin6_port = htons(port);
}

socklen_t address_size(const struct sockaddr *address)
{
	return address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

struct options parse_options(int argc, char **argv)
{
	enum { LOCAL = 1, PORT, UDP, REMOTE, REMOTE_PORT, REMOTE_UDP, STREAMS, GRANT, ADAPTATION, SYSCTL,
	       ECHO, MESSAGES, INTERLEAVING, PARTS, EXPLICIT_EOR, SCHEDULER, PARTIAL_DELIVERY_POINT };
	static const struct option known[] = {
		{ "local", required_argument, NULL, LOCAL },
		{ "port", required_argument, NULL, PORT },
		{ "udp-port", required_argument, NULL, UDP },
		{ "remote", required_argument, NULL, REMOTE },
		{ "remote-port", required_argument, NULL, REMOTE_PORT },
		{ "remote-udp-port", required_argument, NULL, REMOTE_UDP },
		{ "streams", required_argument, NULL, STREAMS },
		{ "grant", required_argument, NULL, GRANT },
		{ "adaptation", required_argument, NULL, ADAPTATION },
		{ "sysctl", required_argument, NULL, SYSCTL },
		{ "echo", no_argument, NULL, ECHO },
		{ "messages", no_argument, NULL, MESSAGES },
		{ "interleaving", no_argument, NULL, INTERLEAVING },
		{ "parts", no_argument, NULL, PARTS },
		{ "explicit-eor", no_argument, NULL, EXPLICIT_EOR },
		{ "scheduler", required_argument, NULL, SCHEDULER },
		{ "partial-delivery-point", required_argument, NULL, PARTIAL_DELIVERY_POINT },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .streams = 10 };
	for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		unsigned long number = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;
		switch (option) {
		case LOCAL: append_local(&options, optarg); break;
		case REMOTE: options.remote = parse_address(optarg); break;
		case PORT: options.port = (uint16_t)number; break;
		case UDP: options.udp_port = (uint16_t)number; break;
		case REMOTE_PORT: options.remote_port = (uint16_t)number; break;
		case REMOTE_UDP: options.remote_udp_port = (uint16_t)number; break;
		case STREAMS: options.streams = (uint16_t)number; break;
		case GRANT: options.grant = (uint32_t)number; break;
		case ADAPTATION: options.adaptation = (uint32_t)number, options.has_adaptation = true; break;
		case ECHO: options.echo = true; break;
		case MESSAGES: options.log_messages = true; break;
		case INTERLEAVING: options.interleaving = true; break;
		case PARTS: options.log_parts = true; break;
		case EXPLICIT_EOR: options.explicit_eor = true; break;
		case SCHEDULER: options.scheduler = parse_scheduler(optarg); break;
		case PARTIAL_DELIVERY_POINT: options.partial_delivery_point = (uint32_t)number; break;
		case SYSCTL:
			if (options.sysctl_count == MAX_SYSCTLS)
				die("too many sysctls");
			options.sysctls[options.sysctl_count++] = optarg;
			break;
		default: exit(EXIT_FAILURE);
		}
	}
	if (optind != argc - 1 || (strcmp(argv[optind], "server") != 0 && strcmp(argv[optind], "client") != 0))
		die("wants one role, server or client");
	options.server = strcmp(argv[optind], "server") == 0;
	if (options.local_count == 0 || options.udp_port == 0 || (!options.server && options.remote.sa.sa_family == 0))
		die("wants --local, --udp-port and, as a client, --remote");
	for (size_t i = 0; i < options.local_count; i++)
		set_port(&options.local[i], options.port);
	set_port(&options.remote, options.remote_port);
	return options;
}
