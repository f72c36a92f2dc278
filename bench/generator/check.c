// Integrity: frames of random sizes, split anywhere, slow readers; every byte that arrives is compared with what was sent.
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>
#include "kafka.h"

enum { IN_FLIGHT = 20, SMALL = 300, MEDIUM = 70000, LARGE = 3000000, MIN_BATCH = 80, FRAME_LIMIT = 1 << 24, RECEIVE_BYTES = 32768 };

/** Mostly small, some around the size of a read, some large. */
static uint32_t random_size(uint64_t *state) {
  uint64_t kind = next_random(state) % 100, size = next_random(state);
  if (kind < 60) return MIN_BATCH + (uint32_t)(size % SMALL);
  if (kind < 85) return SMALL + (uint32_t)(size % MEDIUM);
  if (kind < 90) return 60000 + (uint32_t)(size % 10000);
  return MEDIUM + (uint32_t)(size % LARGE);
}

static void sleep_up_to(uint64_t *state, uint32_t us) { usleep((useconds_t)(next_random(state) % us)); }

/** In two parts sometimes, the first of them at most 40 bytes, or anything. */
static bool send_split(int fd, const Buffer *b, uint64_t *state) {
  uint64_t kind = next_random(state) % 10;
  if (kind > 1) return send_all(fd, b->at, b->size);
  size_t first = 1 + next_random(state) % (kind == 0 && b->size > 40 ? 40 : b->size - 1);
  if (!send_all(fd, b->at, first)) return false;
  sleep_up_to(state, 3000);
  return send_all(fd, b->at + first, b->size - first);
}

static bool read_frame(int fd, Buffer *b) {
  b->size = 0;
  if (!read_all(fd, reserve(b, 4), 4)) return false;
  uint32_t size = read32(b->at);
  if (size < 4 || size > FRAME_LIMIT) return false;
  reserve(b, size + 4u);
  b->size = size + 4;
  return read_all(fd, b->at + 4, size);
}

/** What the broker has received, as a number that it tells in its answer. */
static int64_t sum_of(const uint8_t *frame, size_t size) { return (int64_t)(checksum(3, frame, size) >> 1); }

static void *serve(void *argument) {
  int fd = (int)(intptr_t)argument;
  uint64_t state = (uint64_t)fd;
  Buffer in = {0}, out = {0};
  while (read_frame(fd, &in)) {
    Cursor all = {in.at + 4, in.at + in.size};
    int api = get16(&all), version = get16(&all);
    uint32_t correlation_id = (uint32_t)get32(&all);
    out.size = 0;
    if (api == PRODUCE) {
      Named asked = read_produce_request(all);
      put_produce_response(&out, correlation_id, &asked, sum_of(in.at, in.size));
    } else if (api == FETCH) {
      Named asked = read_fetch_request(all, version);
      put_fetch_head(&out, version, correlation_id, sum_of(in.at, in.size), (uint32_t)asked.max_bytes);
      put_batch(&out, (size_t)asked.max_bytes, (uint64_t)asked.from);
      put_fetch_tail(&out);
      end_frame(&out, 0);
    } else if (!put_other_answer(&out, api, version, correlation_id, all)) break;
    if (next_random(&state) % 50 == 0) sleep_up_to(&state, 30000);
    if (!send_split(fd, &out, &state)) break;
  }
  close(fd);
  free(in.at);
  free(out.at);
  return NULL;
}

int check_sink_main(void) {
  int listener = listen_on_loopback();
  puts("ready");
  fflush(stdout);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    no_delay(fd);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0) die("check-sink: no thread");
    pthread_detach(thread);
  }
}

/** What is known of a request when its answer comes. */
typedef struct {
  int api, version, topics;
  int64_t sum, from;
  uint32_t size;
} Expected;

typedef struct {
  int fd;
  uint64_t seed;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  Expected expected[IN_FLIGHT];
  uint32_t asked, answered;
  bool ended;
  uint64_t bytes;
} Client;

static void compare(const Client *client, const Expected *want, Buffer *answer, Buffer *records) {
  Cursor body = {answer->at + HEADER_BYTES, answer->at + answer->size};
  if (read32(answer->at + 4) != client->answered) die("check: a response out of turn");
  Named told = want->api == PRODUCE ? read_produce_response(body) : read_fetch_response(body, want->version);
  if (!told.whole || told.topics != want->topics) die("check: a response of another shape");
  if ((want->topics & 1 << CLOSED_TOPIC) != 0 && told.error[CLOSED_TOPIC] != TOPIC_AUTHORIZATION_FAILED) die("check: not refused");
  if ((want->topics & 1 << OPEN_TOPIC) == 0) return;
  if (told.error[OPEN_TOPIC] != 0) die("check: refused");
  if (told.offset[OPEN_TOPIC] != want->sum) die("check: the broker has received other bytes than were sent");
  if (want->api == PRODUCE) return;
  records->size = 0;
  put_batch(records, want->size, (uint64_t)want->from);
  if (told.records_bytes[OPEN_TOPIC] != want->size || memcmp(told.records[OPEN_TOPIC], records->at, want->size) != 0) {
    die("check: the client has received other bytes than were sent");
  }
}

static void *read_answers(void *argument) {
  Client *client = argument;
  uint64_t state = client->seed * 31;
  Buffer answer = {0}, records = {0};
  for (;;) {
    pthread_mutex_lock(&client->lock);
    while (client->asked == client->answered && !client->ended) pthread_cond_wait(&client->changed, &client->lock);
    bool done = client->asked == client->answered;
    Expected want = client->expected[client->answered % IN_FLIGHT];
    pthread_mutex_unlock(&client->lock);
    if (done) break;
    if (next_random(&state) % 20 == 0) sleep_up_to(&state, 50000);
    if (!read_frame(client->fd, &answer)) die("check: the connection was closed");
    compare(client, &want, &answer, &records);
    pthread_mutex_lock(&client->lock);
    client->answered++;
    client->bytes += answer.size;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
  }
  free(answer.at);
  free(records.at);
  return NULL;
}

/** A request, and the bytes in which a broker should see it: without the topic that is not allowed. */
static Expected put_random_request(Buffer *b, Buffer *seen, uint32_t id, uint64_t *state) {
  static const int fetch_versions[] = {12, 13, 16};
  Expected e = {.size = random_size(state), .from = (int64_t)(next_random(state) >> 2), .topics = 1 << OPEN_TOPIC};
  uint64_t kind = next_random(state) % 100;
  if (kind < 15) e.topics |= 1 << CLOSED_TOPIC;
  else if (kind < 20) e.topics = 1 << CLOSED_TOPIC;
  e.api = next_random(state) % 2 == 0 ? PRODUCE : FETCH;
  e.version = e.api == PRODUCE ? PRODUCE_VERSION : fetch_versions[next_random(state) % 3];
  b->size = seen->size = 0;
  if (e.api == PRODUCE) {
    put_produce(b, id, e.topics, e.size, (uint64_t)e.from);
    put_produce(seen, id, 1 << OPEN_TOPIC, e.size, (uint64_t)e.from);
  } else {
    put_fetch(b, e.version, id, e.topics, e.from, (int32_t)e.size);
    put_fetch(seen, e.version, id, 1 << OPEN_TOPIC, e.from, (int32_t)e.size);
  }
  e.sum = sum_of(seen->at, seen->size);
  return e;
}

static void *ask_at_random(void *argument) {
  Client *client = argument;
  uint64_t state = client->seed, end = now_ns() + (uint64_t)(atof(option("seconds", "3")) * 1e9);
  Buffer request = {0}, seen = {0};
  pthread_t reader;
  if (pthread_create(&reader, NULL, read_answers, client) != 0) die("check: no thread");
  while (now_ns() < end) {
    Expected e = put_random_request(&request, &seen, client->asked, &state);
    pthread_mutex_lock(&client->lock);
    while (client->asked - client->answered == IN_FLIGHT) pthread_cond_wait(&client->changed, &client->lock);
    client->expected[client->asked++ % IN_FLIGHT] = e;
    client->bytes += request.size;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
    if (!send_split(client->fd, &request, &state)) die("check: the connection was closed");
  }
  pthread_mutex_lock(&client->lock);
  client->ended = true;
  pthread_cond_signal(&client->changed);
  pthread_mutex_unlock(&client->lock);
  pthread_join(reader, NULL);
  free(request.at);
  free(seen.at);
  return NULL;
}

int check_main(void) {
  long count = number("conns", 8);
  Client *clients = calloc((size_t)count, sizeof *clients);
  pthread_t *threads = calloc((size_t)count, sizeof *threads);
  for (long i = 0; i < count; i++) {
    clients[i].fd = start_client();
    clients[i].seed = (uint64_t)number("seed", 1) * 1000 + (uint64_t)i;
    pthread_mutex_init(&clients[i].lock, NULL);
    pthread_cond_init(&clients[i].changed, NULL);
    if (i % 2 == 0) setsockopt(clients[i].fd, SOL_SOCKET, SO_RCVBUF, &(int){RECEIVE_BYTES}, sizeof(int));
    if (pthread_create(&threads[i], NULL, ask_at_random, &clients[i]) != 0) die("check: no thread");
  }
  uint64_t frames = 0, bytes = 0;
  for (long i = 0; i < count; i++) {
    pthread_join(threads[i], NULL);
    frames += clients[i].answered;
    bytes += clients[i].bytes;
  }
  printf("{\"frames\":%lu,\"bytes\":%lu,\"judged\":%lu}\n", frames, bytes, frames + (uint64_t)count);
  return 0;
}
