/* A tally of messages: how many, how many bytes, and hashes both ends can compute.
 *
 * Ordered messages of a stream arrive in the order sent, so the stream's hash is SHA-256 over all of them
 * one after the other. Unordered ones may arrive in any order, so theirs is the sum, modulo 2^256, of the
 * SHA-256 of each: it does not depend on order, but does change with a loss, a duplicate or a wrong byte. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

#define MAX_STREAMS 2048

struct tally {
	uint64_t messages;
	uint64_t bytes;
	struct sha256 *ordered[MAX_STREAMS]; /* NULL until the stream's first message */
	uint8_t unordered[SHA256_SIZE];      /* big-endian */
};

void tally_message(struct tally *tally, uint16_t stream, bool unordered, const void *data, size_t size);

/* Emits {"event": NAME, "messages": …, "bytes": …, "ordered": {"STREAM": HEX, …}, "unordered": HEX}. */
void tally_emit(const struct tally *tally, const char *event);

void tally_free(struct tally *tally);

#endif
