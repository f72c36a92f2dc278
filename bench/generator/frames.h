// Reads frames from a socket that does not block, and keeps only the beginning of each: what is measured is the proxy, not its peers.
#ifndef FRAMES_H
#define FRAMES_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "kafka.h"

enum { HEAD_BYTES = 256, READ_BYTES = 1 << 16, SKIP_BYTES = 1 << 20, READS_AT_ONCE = 16 };

typedef struct {
  int fd;
  /** Of the frame that is read now; 0: its size is not known yet. */
  uint32_t size, got, head_bytes;
  /** Its first bytes, behind the size. */
  uint8_t head[HEAD_BYTES];
  bool wants_write;
  Buffer out;
  size_t out_sent;
} Peer;

typedef bool OnFrame(Peer *peer);

static uint8_t frames_scratch[SKIP_BYTES];

static inline Cursor frame_body(const Peer *peer) { return (Cursor){peer->head + HEADER_BYTES, peer->head + peer->head_bytes}; }

static inline bool frame_ended(Peer *peer, OnFrame *on_frame) {
  if (!on_frame(peer)) return false;
  peer->size = peer->got = peer->head_bytes = 0;
  return true;
}

static inline bool feed_frames(Peer *peer, const uint8_t *at, const uint8_t *end, OnFrame *on_frame) {
  while (at < end) {
    if (peer->size == 0) {
      while (peer->head_bytes < 4 && at < end) peer->head[peer->head_bytes++] = *at++;
      if (peer->head_bytes < 4) return true;
      peer->size = read32(peer->head);
      peer->head_bytes = 0;
      if (peer->size < 4 || peer->size > 1u << 28) return false;
      continue;
    }
    uint32_t count = (uint32_t)(end - at), rest = peer->size - peer->got;
    if (count > rest) count = rest;
    uint32_t kept = HEAD_BYTES - peer->head_bytes;
    if (kept > count) kept = count;
    memcpy(peer->head + peer->head_bytes, at, kept);
    peer->head_bytes += kept;
    peer->got += count;
    at += count;
    if (peer->got == peer->size && !frame_ended(peer, on_frame)) return false;
  }
  return true;
}

/** Reads what is there. False: the connection has ended, or `on_frame` said so. */
static inline bool read_frames(Peer *peer, OnFrame *on_frame) {
  for (int reads = 0; reads < READS_AT_ONCE; reads++) {
    uint32_t rest = peer->size - peer->got;
    bool skip = peer->size > 0 && peer->head_bytes == HEAD_BYTES && rest > READ_BYTES;
    size_t wanted = !skip ? READ_BYTES : rest < SKIP_BYTES ? rest : SKIP_BYTES;
    ssize_t count = recv(peer->fd, frames_scratch, wanted, skip ? MSG_TRUNC : 0);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN;
    if (!skip) {
      if (!feed_frames(peer, frames_scratch, frames_scratch + count, on_frame)) return false;
      if (count < READ_BYTES) return true;
      continue;
    }
    peer->got += (uint32_t)count;
    if (peer->got == peer->size && !frame_ended(peer, on_frame)) return false;
  }
  return true;
}

static inline void watch(int epoll, Peer *peer) {
  epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = peer});
}
static inline void want_write(int epoll, Peer *peer, bool wants) {
  if (peer->wants_write == wants) return;
  peer->wants_write = wants;
  uint32_t events = EPOLLIN | (wants ? EPOLLOUT : 0);
  epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &(struct epoll_event){.events = events, .data.ptr = peer});
}

#endif
