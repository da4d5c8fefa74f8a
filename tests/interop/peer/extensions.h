/* The extensions of the data transfer: RFC 3758, RFC 7496, RFC 8260, explicit EOR. */
#ifndef EXTENSIONS_H
#define EXTENSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <usrsctp.h>

#include "options.h"

/* One of the names "default" (usrsctp's own round robin), "rr", "rr_packet", "priority", "fair" and "fcfs". */
uint32_t parse_scheduler(const char *name);

void set_extensions(struct socket *socket, const struct options *options);

/* How a message is sent, by the words that end a command: unordered, ttl MS, rtx COUNT, buf PRIORITY,
 * sack_immediately, eor. Words not known here, "ordered" among them, say nothing. */
struct sctp_sendv_spa parse_sending(char **save);

/* ss_value STREAM VALUE, set_scheduler NAME, pr_status */
void command_ss_value(struct socket *socket, char **save);
void command_set_scheduler(struct socket *socket, char **save);
void command_pr_status(struct socket *socket);

#endif
