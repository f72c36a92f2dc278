// The messages: written and read field by field, as Kafka's message definitions have them.
#include "kafka.h"

const char *const TOPIC_NAMES[TOPICS] = {"bench.open", "bench.closed"};



static void put_topic_id(Buffer *b, int topic) {
  put64(b, 0x7067617465ll);
  put64(b, 1 + topic);
}

static int topic_of_id(Cursor *c) {
  get64(c);
  int64_t low = get64(c);
  return low == 1 ? OPEN_TOPIC : CLOSED_TOPIC;
}
static int topic_of_name(Cursor *c) {
  uint32_t size = get_count(c);
  const uint8_t *name = take(c, size);
  return size == strlen(TOPIC_NAMES[OPEN_TOPIC]) && memcmp(name, TOPIC_NAMES[OPEN_TOPIC], size) == 0 ? OPEN_TOPIC : CLOSED_TOPIC;
}

size_t begin_request(Buffer *b, int api, int version, uint32_t correlation_id) {
  size_t start = b->size;
  put32(b, 0);
  put16(b, api);
  put16(b, version);
  put32(b, (int32_t)correlation_id);
  put_string16(b, "bench");
  if (api != SASL_HANDSHAKE) put_tags(b);
  return start;
}
size_t begin_response(Buffer *b, uint32_t correlation_id, bool flexible) {
  size_t start = b->size;
  put32(b, 0);
  put32(b, (int32_t)correlation_id);
  if (flexible) put_tags(b);
  return start;
}
void end_frame(Buffer *b, size_t start) { write32(b->at + start, (uint32_t)(b->size - start - 4)); }

void put_batch(Buffer *b, size_t size, uint64_t seed) {
  size_t end = b->size + size;
  put64(b, 0);
  put32(b, (int32_t)(size - 12));
  put32(b, -1);
  put8(b, 2);
  put32(b, (int32_t)seed); // the checksum: nobody here looks at it
  put16(b, 0);
  put32(b, 0);
  put64(b, 1700000000000ll);
  put64(b, 1700000000000ll);
  put64(b, -1);
  put16(b, -1);
  put32(b, -1);
  put32(b, 1);
  size_t rest = end - b->size;
  fill_random(reserve(b, rest), rest, seed);
  b->size = end;
}

void put_produce(Buffer *b, uint32_t correlation_id, int topics, size_t records_bytes, uint64_t seed) {
  size_t start = begin_request(b, PRODUCE, PRODUCE_VERSION, correlation_id);
  put_varint(b, 0); // no transactional id
  put16(b, 1);
  put32(b, 30000);
  put_count(b, (uint32_t)__builtin_popcount((unsigned)topics));
  for (int topic = TOPICS - 1; topic >= 0; topic--) {
    if ((topics & 1 << topic) == 0) continue;
    put_name(b, TOPIC_NAMES[topic]);
    put_count(b, 1);
    put32(b, 0);
    put_count(b, (uint32_t)records_bytes);
    put_batch(b, records_bytes, seed);
    put_tags(b);
    put_tags(b);
  }
  put_tags(b);
  end_frame(b, start);
}

void put_fetch(Buffer *b, int version, uint32_t correlation_id, int topics, int64_t offset, int32_t max_bytes) {
  size_t start = begin_request(b, FETCH, version, correlation_id);
  if (version < NO_REPLICA_VERSION) put32(b, -1);
  put32(b, 500);
  put32(b, 1);
  put32(b, max_bytes);
  put8(b, 0);
  put32(b, 0);
  put32(b, -1);
  put_count(b, (uint32_t)__builtin_popcount((unsigned)topics));
  for (int topic = TOPICS - 1; topic >= 0; topic--) {
    if ((topics & 1 << topic) == 0) continue;
    if (version < BY_ID_VERSION) put_name(b, TOPIC_NAMES[topic]);
    else put_topic_id(b, topic);
    put_count(b, 1);
    put32(b, 0);
    put32(b, -1);
    put64(b, offset);
    put32(b, -1);
    put64(b, -1);
    put32(b, max_bytes);
    put_tags(b);
    put_tags(b);
  }
  put_count(b, 0);
  put_name(b, "");
  put_tags(b);
  end_frame(b, start);
}

void put_metadata_request(Buffer *b, uint32_t correlation_id, int topic) {
  size_t start = begin_request(b, METADATA, METADATA_VERSION, correlation_id);
  put_count(b, 1);
  put64(b, 0);
  put64(b, 0);
  put_name(b, TOPIC_NAMES[topic]);
  put_tags(b);
  put8(b, 0);
  put8(b, 0);
  put_tags(b);
  end_frame(b, start);
}

static void skip_client_id(Cursor *c) {
  int size = get16(c);
  if (size > 0) take(c, (size_t)size);
  get8(c);
}

Named read_produce_request(Cursor c) {
  Named found = {0};
  skip_client_id(&c);
  take(&c, get_count(&c));
  found.acks = get16(&c);
  get32(&c);
  for (uint32_t n = get_count(&c); n > 0; n--) {
    int topic = topic_of_name(&c);
    found.topics |= 1 << topic;
    get_count(&c);
    get32(&c);
    found.records_bytes[topic] = get_count(&c);
    found.records[topic] = c.at;
    take(&c, found.records_bytes[topic]);
    get8(&c);
    get8(&c);
  }
  found.whole = c.end - c.at == 1;
  return found;
}

Named read_fetch_request(Cursor c, int version) {
  Named found = {0};
  skip_client_id(&c);
  take(&c, version < NO_REPLICA_VERSION ? 16 : 12);
  get8(&c);
  take(&c, 8);
  for (uint32_t n = get_count(&c); n > 0; n--) {
    int topic = version < BY_ID_VERSION ? topic_of_name(&c) : topic_of_id(&c);
    found.topics |= 1 << topic;
    get_count(&c);
    take(&c, 8);
    found.from = get64(&c);
    take(&c, 12);
    found.max_bytes = get32(&c);
    get8(&c);
    get8(&c);
  }
  get_count(&c);
  take(&c, get_count(&c));
  found.whole = c.end - c.at == 1;
  return found;
}

Named read_produce_response(Cursor c) {
  Named found = {0};
  get8(&c);
  for (uint32_t n = get_count(&c); n > 0; n--) {
    int topic = topic_of_name(&c);
    found.topics |= 1 << topic;
    get_count(&c);
    get32(&c);
    found.error[topic] = get16(&c);
    found.offset[topic] = get64(&c);
    take(&c, 16);
    get_count(&c);
    take(&c, get_count(&c));
    get8(&c);
    get8(&c);
  }
  get32(&c);
  found.whole = c.end - c.at == 1;
  return found;
}

Named read_fetch_response(Cursor c, int version) {
  Named found = {0};
  get8(&c);
  take(&c, 10);
  for (uint32_t n = get_count(&c); n > 0; n--) {
    int topic = version < BY_ID_VERSION ? topic_of_name(&c) : topic_of_id(&c);
    found.topics |= 1 << topic;
    get_count(&c);
    get32(&c);
    found.error[topic] = get16(&c);
    found.offset[topic] = get64(&c);
    take(&c, 16);
    get_count(&c);
    get32(&c);
    found.records_bytes[topic] = get_count(&c);
    found.records[topic] = c.at;
    take(&c, found.records_bytes[topic]);
    get8(&c);
    get8(&c);
  }
  found.whole = c.end - c.at == 1;
  return found;
}

void put_produce_response(Buffer *b, uint32_t correlation_id, const Named *asked, int64_t base_offset) {
  size_t start = begin_response(b, correlation_id, true);
  put_count(b, (uint32_t)__builtin_popcount((unsigned)asked->topics));
  for (int topic = 0; topic < TOPICS; topic++) {
    if ((asked->topics & 1 << topic) == 0) continue;
    put_name(b, TOPIC_NAMES[topic]);
    put_count(b, 1);
    put32(b, 0);
    put16(b, 0);
    put64(b, base_offset);
    put64(b, -1);
    put64(b, 0);
    put_count(b, 0);
    put_varint(b, 0);
    put_tags(b);
    put_tags(b);
  }
  put32(b, 0);
  put_tags(b);
  end_frame(b, start);
}

void put_fetch_head(Buffer *b, int version, uint32_t correlation_id, int64_t high_watermark, uint32_t records_bytes) {
  begin_response(b, correlation_id, true);
  put32(b, 0);
  put16(b, 0);
  put32(b, 0);
  put_count(b, 1);
  if (version < BY_ID_VERSION) put_name(b, TOPIC_NAMES[OPEN_TOPIC]);
  else put_topic_id(b, OPEN_TOPIC);
  put_count(b, 1);
  put32(b, 0);
  put16(b, 0);
  put64(b, high_watermark);
  put64(b, high_watermark);
  put64(b, 0);
  put_count(b, 0);
  put32(b, -1);
  put_count(b, records_bytes);
}
void put_fetch_tail(Buffer *b) {
  put_tags(b);
  put_tags(b);
  put_tags(b);
}

static void put_api_versions(Buffer *b, int version, uint32_t correlation_id) {
  static const int16_t offered[][3] = {{PRODUCE, 0, 9}, {FETCH, 4, 16}, {METADATA, 9, 12}, {SASL_HANDSHAKE, 0, 1}, {API_VERSIONS, 0, 4}, {SASL_AUTHENTICATE, 0, 2}};
  const size_t count = sizeof offered / sizeof *offered;
  bool flexible = version >= 3;
  size_t start = begin_response(b, correlation_id, false);
  put16(b, 0);
  if (flexible) put_count(b, (uint32_t)count);
  else put32(b, (int32_t)count);
  for (size_t i = 0; i < count; i++) {
    for (int k = 0; k < 3; k++) put16(b, offered[i][k]);
    if (flexible) put_tags(b);
  }
  if (version >= 1) put32(b, 0);
  if (flexible) put_tags(b);
  end_frame(b, start);
}

static void put_metadata(Buffer *b, int version, uint32_t correlation_id, int topics) {
  size_t start = begin_response(b, correlation_id, true);
  put32(b, 0);
  put_count(b, 1);
  put32(b, 1);
  put_name(b, "127.0.0.1");
  put32(b, (int32_t)number("port", 0));
  put_varint(b, 0);
  put_tags(b);
  put_name(b, "bench");
  put32(b, 1);
  put_count(b, (uint32_t)__builtin_popcount((unsigned)topics));
  for (int topic = 0; topic < TOPICS; topic++) {
    if ((topics & 1 << topic) == 0) continue;
    put16(b, 0);
    put_name(b, TOPIC_NAMES[topic]);
    if (version >= 10) put_topic_id(b, topic);
    put8(b, 0);
    put_count(b, 1);
    put16(b, 0);
    put32(b, 0);
    put32(b, 1);
    put32(b, 0);
    for (int lists = 0; lists < 2; lists++) {
      put_count(b, 1);
      put32(b, 1);
    }
    put_count(b, 0);
    put_tags(b);
    put32(b, INT32_MIN);
    put_tags(b);
  }
  if (version < 11) put32(b, INT32_MIN);
  put_tags(b);
  end_frame(b, start);
}

static int topics_of_metadata(Cursor c, int version) {
  int topics = 0;
  skip_client_id(&c);
  uint32_t raw = get_varint(&c);
  if (raw == 0) return (1 << TOPICS) - 1;
  for (; raw > 1; raw--) {
    Cursor id = c;
    if (version >= 10) take(&c, 16);
    uint32_t size = get_count(&c);
    Cursor name = {c.at, c.at + size};
    take(&c, size);
    get8(&c);
    if (size == 0) topics |= 1 << topic_of_id(&id);
    else {
      uint8_t compact = (uint8_t)(size + 1);
      for (int topic = 0; topic < TOPICS; topic++) {
        if (compact == strlen(TOPIC_NAMES[topic]) + 1 && memcmp(name.at, TOPIC_NAMES[topic], size) == 0) topics |= 1 << topic;
      }
    }
  }
  return topics;
}

bool put_other_answer(Buffer *b, int api, int version, uint32_t correlation_id, Cursor body) {
  if (api == API_VERSIONS) put_api_versions(b, version, correlation_id);
  else if (api == METADATA) put_metadata(b, version, correlation_id, topics_of_metadata(body, version));
  else if (api == SASL_HANDSHAKE) {
    size_t start = begin_response(b, correlation_id, false);
    put16(b, 0);
    put32(b, 1);
    put_string16(b, "OAUTHBEARER");
    end_frame(b, start);
  } else if (api == SASL_AUTHENTICATE && version == 2) {
    size_t start = begin_response(b, correlation_id, true);
    put16(b, 0);
    put_varint(b, 0);
    put_count(b, 0);
    put64(b, 0);
    put_tags(b);
    end_frame(b, start);
  } else return false;
  return true;
}
