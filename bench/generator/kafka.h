// The few Kafka messages that a benchmark needs, both ways, and the steps of a client's start.
#ifndef KAFKA_H
#define KAFKA_H

#include <pthread.h>
#include <stdbool.h>
#include "bytes.h"

enum { PRODUCE = 0, FETCH = 1, METADATA = 3, SASL_HANDSHAKE = 17, API_VERSIONS = 18, SASL_AUTHENTICATE = 36 };
enum { PRODUCE_VERSION = 9, METADATA_VERSION = 12, BY_ID_VERSION = 13, NO_REPLICA_VERSION = 15 };
enum { TOPIC_AUTHORIZATION_FAILED = 29, HEADER_BYTES = 8, TOPICS = 2 };

/** What the sink has: one topic that clients may use, one that they may not. */
extern const char *const TOPIC_NAMES[TOPICS];
enum { OPEN_TOPIC = 0, CLOSED_TOPIC = 1 };

/** Value of `key=` on the command line. */
const char *option(const char *key, const char *otherwise);
long number(const char *key, long otherwise);
void set_options(int count, char **values);

uint64_t now_ns(void);
/** A number of 64 bits from bytes in which any change shows. */
uint64_t checksum(uint64_t seed, const uint8_t *bytes, size_t size);
uint64_t next_random(uint64_t *state);
void fill_random(uint8_t *to, size_t size, uint64_t seed);

/** A record batch of exactly so many bytes (>= 80), one record in it; magic 2, not transactional. */
void put_batch(Buffer *b, size_t size, uint64_t seed);

/** Begins a frame; `end_frame` writes its size. */
size_t begin_request(Buffer *b, int api, int version, uint32_t correlation_id);
size_t begin_response(Buffer *b, uint32_t correlation_id, bool flexible);
void end_frame(Buffer *b, size_t start);

/** A Produce request for one partition of each topic in `topics` (bits). */
void put_produce(Buffer *b, uint32_t correlation_id, int topics, size_t records_bytes, uint64_t seed);
void put_fetch(Buffer *b, int version, uint32_t correlation_id, int topics, int64_t offset, int32_t max_bytes);
void put_metadata_request(Buffer *b, uint32_t correlation_id, int topic);

/** What a sink reads from a request, or a client from a response: the partitions that are named in it. */
typedef struct {
  int topics;
  int error[TOPICS];
  /** baseOffset of Produce, high watermark of Fetch. */
  int64_t offset[TOPICS];
  const uint8_t *records[TOPICS];
  uint32_t records_bytes[TOPICS];
  /** Of a request. */
  int acks;
  int64_t from;
  int32_t max_bytes;
  /** It ended where it should. */
  bool whole;
} Named;
/** `body` begins behind the correlation id. */
Named read_produce_request(Cursor body);
Named read_fetch_request(Cursor body, int version);
Named read_produce_response(Cursor body);
Named read_fetch_response(Cursor body, int version);

void put_produce_response(Buffer *b, uint32_t correlation_id, const Named *asked, int64_t base_offset);
/** Everything but the records, which follow as they are, and then `put_fetch_tail`. */
void put_fetch_head(Buffer *b, int version, uint32_t correlation_id, int64_t high_watermark, uint32_t records_bytes);
void put_fetch_tail(Buffer *b);

/** The answers of a broker to all that is neither Produce nor Fetch. False: it does not know the request. */
bool put_other_answer(Buffer *b, int api, int version, uint32_t correlation_id, Cursor body);

/** Connects to `addr=`, logs in with `token=`, asks for Metadata of the open topic. @return the socket; dies if something is refused */
int start_client(void);
bool send_all(int fd, const uint8_t *bytes, size_t size);
bool read_all(int fd, uint8_t *bytes, size_t size);
int listen_on_loopback(void);
void no_delay(int fd);
void set_nonblocking(int fd);

int sink_main(void);
int load_main(void);
int connect_main(void);
int check_sink_main(void);
int check_main(void);
int idle_main(void);
int ping_main(void);

#endif
