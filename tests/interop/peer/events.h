/* What the peer tells its test: one JSON object a line on standard output. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An event is built by several calls; from begin_event to end_event the thread holds standard output. */
void begin_event(const char *event);
void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
void put_string(const char *key, const char *value);
void put_hex(const uint8_t *bytes, size_t size);
void put_address(const char *key, const struct sockaddr *address);
void end_event(void);

/* {"event": "error", "call": CALL, "error": "Connection refused", "errno": 111}, from errno. */
void emit_error(const char *call);

/* The notifications of RFC 6458 section 6.1, under its names. */
void subscribe_to_events(void *socket);
void emit_notification(const void *data, size_t size);

/* struct sctp_pdapi_event as usrsctp 0.9.5 fills it: its public header gives the stream and the SSN 32 bits. */
struct partial_delivery {
	uint16_t type, flags;
	uint32_t length, indication;
	uint16_t stream, seq;
};

/* malloc, zeroed, that ends the program rather than return NULL. */
void *allocate(size_t size);

/* Ends the program with a message on standard error. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
