// Bytes as Kafka's protocol has them: a growing buffer to write to, a cursor to read from.
#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  uint8_t *at;
  size_t size, room;
} Buffer;

typedef struct {
  const uint8_t *at, *end;
} Cursor;

_Noreturn static inline void die(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(1);
}

static inline uint8_t *reserve(Buffer *b, size_t size) {
  if (b->size + size > b->room) {
    b->room = (b->size + size) * 2;
    b->at = realloc(b->at, b->room);
    if (b->at == NULL) die("out of memory");
  }
  return b->at + b->size;
}

static inline void put_bytes(Buffer *b, const void *bytes, size_t size) {
  memcpy(reserve(b, size), bytes, size);
  b->size += size;
}

static inline void put_int(Buffer *b, int64_t value, int size) {
  uint8_t *to = reserve(b, size);
  for (int i = 0; i < size; i++) to[i] = (uint8_t)((uint64_t)value >> (8 * (size - 1 - i)));
  b->size += size;
}
static inline void put8(Buffer *b, int value) { put_int(b, value, 1); }
static inline void put16(Buffer *b, int value) { put_int(b, value, 2); }
static inline void put32(Buffer *b, int32_t value) { put_int(b, value, 4); }
static inline void put64(Buffer *b, int64_t value) { put_int(b, value, 8); }

static inline void put_varint(Buffer *b, uint32_t value) {
  for (; value > 127; value >>= 7) put8(b, (int)(value & 127) | 128);
  put8(b, (int)value);
}
static inline void put_tags(Buffer *b) { put8(b, 0); }

/** A count of what follows, as flexible versions write it. */
static inline void put_count(Buffer *b, uint32_t count) { put_varint(b, count + 1); }
static inline void put_compact(Buffer *b, const void *bytes, size_t size) {
  put_count(b, (uint32_t)size);
  put_bytes(b, bytes, size);
}
static inline void put_name(Buffer *b, const char *name) { put_compact(b, name, strlen(name)); }
static inline void put_string16(Buffer *b, const char *text) {
  put16(b, (int)strlen(text));
  put_bytes(b, text, strlen(text));
}

static inline void write32(uint8_t *to, uint32_t value) {
  for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (8 * (3 - i)));
}
static inline uint32_t read32(const uint8_t *from) {
  return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/** Moves past `size` bytes; past the end everything reads as zero. */
static inline const uint8_t *take(Cursor *c, size_t size) {
  static const uint8_t nothing[64];
  if (size > (size_t)(c->end - c->at)) {
    c->at = c->end;
    return nothing;
  }
  const uint8_t *from = c->at;
  c->at += size;
  return from;
}
static inline int64_t get_int(Cursor *c, int size) {
  const uint8_t *from = take(c, size);
  uint64_t value = 0;
  for (int i = 0; i < size; i++) value = value << 8 | from[i];
  return (int64_t)value;
}
static inline int get8(Cursor *c) { return (int8_t)get_int(c, 1); }
static inline int get16(Cursor *c) { return (int16_t)get_int(c, 2); }
static inline int32_t get32(Cursor *c) { return (int32_t)get_int(c, 4); }
static inline int64_t get64(Cursor *c) { return get_int(c, 8); }
static inline uint32_t get_varint(Cursor *c) {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    int byte = (int)get_int(c, 1);
    value |= (uint32_t)(byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}
/** A count; null and empty are both 0. */
static inline uint32_t get_count(Cursor *c) {
  uint32_t raw = get_varint(c);
  return raw == 0 ? 0 : raw - 1;
}

#endif
