// A broker that costs next to nothing: forgets what is produced, and answers every Fetch with the same records.
#define _GNU_SOURCE
#include <unistd.h>
#include "frames.h"

enum { WAITING = 64, EVENTS = 256 };

typedef struct {
  Peer peer;
  /** Fetch answers that are owed, oldest first. */
  uint32_t owed_id[WAITING];
  int owed_version[WAITING];
  uint32_t first, owed;
  size_t sent;
} Connection;

static int epoll;
/** Fetch answers: by name, and by id. */
static Buffer by_name, by_id;

static void make_fetch_answer(Buffer *b, int version) {
  size_t records_bytes = (size_t)number("bytes", 1 << 20);
  put_fetch_head(b, version, 0, 1000000, (uint32_t)records_bytes);
  put_batch(b, records_bytes, 7);
  put_fetch_tail(b);
  end_frame(b, 0);
}

static bool answer(Peer *peer) {
  Connection *connection = (Connection *)peer;
  Cursor all = {peer->head, peer->head + peer->head_bytes};
  int api = get16(&all), version = get16(&all);
  uint32_t correlation_id = (uint32_t)get32(&all);
  if (api == FETCH) {
    if (connection->owed == WAITING) return false;
    uint32_t at = (connection->first + connection->owed++) % WAITING;
    connection->owed_id[at] = correlation_id;
    connection->owed_version[at] = version;
    return true;
  }
  if (api != PRODUCE) return put_other_answer(&peer->out, api, version, correlation_id, frame_body(peer));
  Named asked = read_produce_request(frame_body(peer));
  if (asked.acks != 0) put_produce_response(&peer->out, correlation_id, &asked, 0);
  return true;
}

/** True: all is sent, or the socket takes no more now. */
static bool flush(Connection *connection) {
  Peer *peer = &connection->peer;
  while (peer->out_sent < peer->out.size) {
    ssize_t sent = send(peer->fd, peer->out.at + peer->out_sent, peer->out.size - peer->out_sent, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN && (want_write(epoll, peer, true), true);
    peer->out_sent += (size_t)sent;
  }
  peer->out.size = peer->out_sent = 0;
  while (connection->owed > 0) {
    const Buffer *whole = connection->owed_version[connection->first] < BY_ID_VERSION ? &by_name : &by_id;
    uint8_t head[HEADER_BYTES];
    memcpy(head, whole->at, 4);
    write32(head + 4, connection->owed_id[connection->first]);
    bool in_head = connection->sent < HEADER_BYTES;
    const uint8_t *from = in_head ? head : whole->at;
    size_t end = in_head ? HEADER_BYTES : whole->size;
    ssize_t sent = send(peer->fd, from + connection->sent, end - connection->sent, MSG_NOSIGNAL | (in_head ? MSG_MORE : 0));
    if (sent < 0) return errno == EAGAIN && (want_write(epoll, peer, true), true);
    connection->sent += (size_t)sent;
    if (connection->sent < whole->size) continue;
    connection->sent = 0;
    connection->first = (connection->first + 1) % WAITING;
    connection->owed--;
  }
  want_write(epoll, peer, false);
  return true;
}

static void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    Connection *connection = calloc(1, sizeof *connection);
    connection->peer.fd = fd;
    no_delay(fd);
    watch(epoll, &connection->peer);
  }
}

int sink_main(void) {
  make_fetch_answer(&by_name, 12);
  make_fetch_answer(&by_id, 16);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on_loopback();
  set_nonblocking(listener);
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN});
  puts("ready");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      Connection *connection = events[i].data.ptr;
      if (connection == NULL) {
        accept_all(listener);
        continue;
      }
      bool lives = (events[i].events & EPOLLOUT) == 0 || flush(connection);
      if (lives && (events[i].events & ~(uint32_t)EPOLLOUT) != 0) lives = read_frames(&connection->peer, answer) && flush(connection);
      if (lives) continue;
      close(connection->peer.fd);
      free(connection->peer.out.at);
      free(connection);
    }
  }
}
