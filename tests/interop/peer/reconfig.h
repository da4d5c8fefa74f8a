/* RE-CONFIG (RFC 6525): the requests, by the socket options of its section 6.3, and their events. */
#ifndef RECONFIG_H
#define RECONFIG_H

#include <stdint.h>
#include <usrsctp.h>

/* Which requests of the other side are granted: the flags SCTP_ENABLE_*_REQ. usrsctp's default is none. */
void grant_requests(struct socket *socket, uint32_t flags);

/* Commands; SAVE is strtok_r's, at the arguments. What usrsctp refuses is an error event. */
void command_reset(struct socket *socket, char **save);
void command_reset_association(struct socket *socket);
void command_add_streams(struct socket *socket, char **save);

void emit_stream_reset(const struct sctp_stream_reset_event *reset);
void emit_association_reset(const struct sctp_assoc_reset_event *reset);
void emit_stream_change(const struct sctp_stream_change_event *change);

#endif
