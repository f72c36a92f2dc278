// A closed loop of real requests: logs in, waits for `go`, keeps `depth=` requests in flight on each of `conns=` connections, and counts.
#define _GNU_SOURCE
#include <unistd.h>
#include "frames.h"

enum { EVENTS = 256, SMALL_BYTES = 16384, MAX_DEPTH = 64 };

typedef struct {
  Peer peer;
  uint32_t next_id, in_flight;
  uint64_t sent_at[MAX_DEPTH];
} Connection;

static int epoll;
static bool fetches, ending;
static int version;
static uint32_t depth;
static Buffer request;
static uint64_t answered, sent, answer_bytes;
static uint64_t *latencies;
static size_t latency_count;
static const size_t MAX_LATENCIES = 4000000;

static bool on_answer(Peer *peer) {
  Connection *connection = (Connection *)peer;
  uint32_t due = connection->next_id - connection->in_flight;
  if (read32(peer->head) != due) die("load: a response out of turn");
  Cursor body = {peer->head + 4, peer->head + peer->head_bytes};
  Named told = fetches ? read_fetch_response(body, version) : read_produce_response(body);
  if ((told.topics & 1 << OPEN_TOPIC) == 0 || told.error[OPEN_TOPIC] != 0) die("load: an error in a response");
  if (fetches && told.records_bytes[OPEN_TOPIC] != (uint32_t)number("bytes", 0)) die("load: records are missing");
  if (latency_count < MAX_LATENCIES) latencies[latency_count++] = now_ns() - connection->sent_at[due % MAX_DEPTH];
  answer_bytes += peer->size + 4;
  connection->in_flight--;
  answered++;
  return true;
}

/** Small requests that go together leave in one send; a large one is copied only where the socket does not take it. */
static void fill(Connection *connection) {
  Peer *peer = &connection->peer;
  for (;;) {
    while (peer->out_sent < peer->out.size) {
      ssize_t count = send(peer->fd, peer->out.at + peer->out_sent, peer->out.size - peer->out_sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EAGAIN) return want_write(epoll, peer, true);
      if (count < 0) die("load: the connection was closed");
      peer->out_sent += (size_t)count;
    }
    want_write(epoll, peer, false);
    if (ending || connection->in_flight == depth) return;
    bool small = request.size <= SMALL_BYTES;
    // A large request stays in the connection's buffer from its last time: only its id changes.
    if (small) peer->out.size = 0;
    peer->out_sent = 0;
    do {
      size_t at = small ? peer->out.size : 0;
      if (small || peer->out.size == 0) put_bytes(&peer->out, request.at, request.size);
      write32(peer->out.at + at + 8, connection->next_id);
      connection->sent_at[connection->next_id++ % MAX_DEPTH] = now_ns();
      connection->in_flight++;
      sent++;
    } while (small && connection->in_flight < depth && peer->out.size < 4 * SMALL_BYTES);
  }
}

/** What must not pass is refused, in this run too. */
static void meet_refusal(void) {
  int fd = start_client();
  Buffer b = {0};
  if (fetches) put_fetch(&b, version, 9, 1 << CLOSED_TOPIC, 0, 1024);
  else put_produce(&b, 9, 1 << CLOSED_TOPIC, 100, 1);
  static uint8_t answer[1 << 16];
  if (!send_all(fd, b.at, b.size) || !read_all(fd, answer, 4)) die("load: no answer to a request that must be refused");
  uint32_t size = read32(answer);
  if (size > sizeof answer || !read_all(fd, answer, size)) die("load: no answer to a request that must be refused");
  Cursor body = {answer + 4, answer + size};
  Named told = fetches ? read_fetch_response(body, version) : read_produce_response(body);
  if (told.error[CLOSED_TOPIC] != TOPIC_AUTHORIZATION_FAILED) die("load: a topic that is not allowed was not refused");
  close(fd);
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}
static double percentile_us(double part) { return (double)latencies[(size_t)((double)(latency_count - 1) * part)] / 1e3; }

static bool in_flight(const Connection *connections, long count) {
  for (long i = 0; i < count; i++) {
    if (connections[i].in_flight > 0) return true;
  }
  return false;
}

static double run(Connection *connections, long count) {
  uint64_t begin = now_ns(), end = begin + (uint64_t)(atof(option("seconds", "1")) * 1e9);
  for (long i = 0; i < count; i++) fill(&connections[i]);
  struct epoll_event events[EVENTS];
  while (!ending || in_flight(connections, count)) {
    int ready = epoll_wait(epoll, events, EVENTS, 5);
    if (now_ns() >= end) ending = true;
    for (int i = 0; i < ready; i++) {
      Connection *connection = events[i].data.ptr;
      if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 && !read_frames(&connection->peer, on_answer)) die("load: the connection was closed");
      fill(connection);
    }
  }
  return (double)(now_ns() - begin) / 1e9;
}

int load_main(void) {
  long count = number("conns", 1);
  fetches = strcmp(option("mode", "produce"), "fetch") == 0;
  version = (int)number("version", PRODUCE_VERSION);
  depth = (uint32_t)number("depth", 1);
  if (depth > MAX_DEPTH) die("load: depth is too large");
  if (fetches) put_fetch(&request, version, 0, 1 << OPEN_TOPIC, 0, (int32_t)number("bytes", 0));
  else put_produce(&request, 0, 1 << OPEN_TOPIC, (size_t)number("bytes", 100), 1);
  latencies = malloc(MAX_LATENCIES * sizeof *latencies);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  Connection *connections = calloc((size_t)count, sizeof *connections);
  // Every client asks for Metadata once, whoever meets a refusal asks twice.
  uint64_t judged = (uint64_t)count;
  if (number("refused", 0) != 0) {
    meet_refusal();
    judged += 2;
  }
  for (long i = 0; i < count; i++) {
    connections[i].peer.fd = start_client();
    set_nonblocking(connections[i].peer.fd);
    watch(epoll, &connections[i].peer);
  }
  puts("ready");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  double seconds = run(connections, count);
  if (answered == 0 || answered != sent) die("load: not everything was answered");
  qsort(latencies, latency_count, sizeof *latencies, by_size);
  uint64_t bytes = sent * request.size + answer_bytes;
  printf("{\"seconds\":%.4f,\"requests\":%lu,\"judged\":%lu,\"bytes\":%lu,\"p50Us\":%.1f,\"p99Us\":%.1f}\n", seconds, sent, judged + sent, bytes,
         percentile_us(0.5), percentile_us(0.99));
  return 0;
}
