#include "tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "events.h"

static void add_digest(uint8_t sum[SHA256_SIZE], const uint8_t digest[SHA256_SIZE])
{
	unsigned carry = 0;
	for (int i = SHA256_SIZE - 1; i >= 0; i--) {
		carry += (unsigned)sum[i] + digest[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

void tally_message(struct tally *tally, uint16_t stream, bool unordered, const void *data, size_t size)
{
	tally->messages++;
	tally->bytes += size;
	if (unordered) {
		struct sha256 hash;
		uint8_t digest[SHA256_SIZE];
		sha256_init(&hash);
		sha256_update(&hash, data, size);
		sha256_final(&hash, digest);
		add_digest(tally->unordered, digest);
		return;
	}
	if (tally->ordered[stream] == NULL) {
		tally->ordered[stream] = allocate(sizeof(struct sha256));
		sha256_init(tally->ordered[stream]);
	}
	sha256_update(tally->ordered[stream], data, size);
}

void tally_emit(const struct tally *tally, const char *event)
{
	begin_event(event);
	put(", \"messages\": %llu, \"bytes\": %llu, \"ordered\": {", (unsigned long long)tally->messages,
	    (unsigned long long)tally->bytes);
	const char *separator = "";
	for (unsigned stream = 0; stream < MAX_STREAMS; stream++) {
		if (tally->ordered[stream] == NULL)
			continue;
		struct sha256 hash = *tally->ordered[stream];
		uint8_t digest[SHA256_SIZE];
		sha256_final(&hash, digest);
		put("%s\"%u\": ", separator, stream);
		put_hex(digest, sizeof digest);
		separator = ", ";
	}
	put("}, \"unordered\": ");
	put_hex(tally->unordered, sizeof tally->unordered);
	end_event();
}

void tally_free(struct tally *tally)
{
	for (unsigned stream = 0; stream < MAX_STREAMS; stream++)
		free(tally->ordered[stream]);
	free(tally);
}
