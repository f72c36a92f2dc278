// What all programs here share: options, clocks, random bytes, sockets, and how a client starts.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "kafka.h"

static int option_count;
static char **options;

void set_options(int count, char **values) {
  option_count = count;
  options = values;
}
const char *option(const char *key, const char *otherwise) {
  size_t size = strlen(key);
  for (int i = 0; i < option_count; i++) {
    if (strncmp(options[i], key, size) == 0 && options[i][size] == '=') return options[i] + size + 1;
  }
  return otherwise;
}
long number(const char *key, long otherwise) {
  const char *text = option(key, NULL);
  return text == NULL ? otherwise : atol(text);
}

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t checksum(uint64_t seed, const uint8_t *bytes, size_t size) {
  uint64_t sum = seed ^ size;
  for (; size > 0; bytes += 8) {
    uint64_t word = 0;
    size_t count = size < 8 ? size : 8;
    memcpy(&word, bytes, count);
    size -= count;
    sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
    sum ^= sum >> 29;
  }
  return sum;
}

uint64_t next_random(uint64_t *state) {
  uint64_t x = *state += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}
void fill_random(uint8_t *to, size_t size, uint64_t seed) {
  for (size_t at = 0; at < size; at += 8) {
    uint64_t word = next_random(&seed);
    memcpy(to + at, &word, size - at < 8 ? size - at : 8);
  }
}

void no_delay(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); }
void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

bool send_all(int fd, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= (size_t)sent;
  }
  return true;
}
bool read_all(int fd, uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t got = recv(fd, bytes, size, 0);
    if (got <= 0) return false;
    bytes += got;
    size -= (size_t)got;
  }
  return true;
}

int listen_on_loopback(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number("port", 0)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(fd, (void *)&at, sizeof at) != 0 || listen(fd, 4096) != 0) die("sink: address already in use");
  return fd;
}

static int dial(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number("port", 0)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval patience = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  no_delay(fd);
  if (connect(fd, (void *)&at, sizeof at) == 0) return fd;
  close(fd);
  return -1;
}

/** Sends the request and reads the answer's body; what stood in `answer` before is gone. */
static bool ask(int fd, const Buffer *request, Buffer *answer) {
  uint8_t size[4];
  if (!send_all(fd, request->at, request->size) || !read_all(fd, size, 4)) return false;
  uint32_t count = read32(size);
  if (count < 4 || count > 1 << 24) return false;
  answer->size = 0;
  reserve(answer, count);
  answer->size = count;
  return read_all(fd, answer->at, count);
}

static void put_api_versions_request(Buffer *b) {
  size_t start = begin_request(b, API_VERSIONS, 3, 1);
  put_name(b, "bench");
  put_name(b, "1");
  put_tags(b);
  end_frame(b, start);
}

static void put_token(Buffer *b) {
  static char token[1 << 16];
  if (token[0] == 0) {
    FILE *file = fopen(option("token", ""), "r");
    if (file == NULL || fgets(token, sizeof token, file) == NULL) die("no token");
    token[strcspn(token, "\r\n")] = 0;
    fclose(file);
  }
  Buffer bearer = {0};
  put_bytes(&bearer, "n,,\1auth=Bearer ", 16);
  put_bytes(&bearer, token, strlen(token));
  put_bytes(&bearer, "\1\1", 2);
  size_t start = begin_request(b, SASL_AUTHENTICATE, 2, 3);
  put_compact(b, bearer.at, bearer.size);
  put_tags(b);
  end_frame(b, start);
  free(bearer.at);
}

int start_client(void) {
  Buffer request = {0}, answer = {0};
  int fd = dial();
  if (fd < 0) die("client: no connection");
  put_api_versions_request(&request);
  if (!ask(fd, &request, &answer) || answer.at[4] != 0 || answer.at[5] != 0) die("client: ApiVersions failed");
  request.size = 0;
  size_t start = begin_request(&request, SASL_HANDSHAKE, 1, 2);
  put_string16(&request, "OAUTHBEARER");
  end_frame(&request, start);
  if (!ask(fd, &request, &answer) || answer.at[4] != 0 || answer.at[5] != 0) die("client: SaslHandshake failed");
  request.size = 0;
  put_token(&request);
  if (!ask(fd, &request, &answer) || answer.at[5] != 0 || answer.at[6] != 0) die("client: SaslAuthenticate failed");
  request.size = 0;
  put_metadata_request(&request, 4, OPEN_TOPIC);
  if (!ask(fd, &request, &answer) || memmem(answer.at, answer.size, TOPIC_NAMES[OPEN_TOPIC], strlen(TOPIC_NAMES[OPEN_TOPIC])) == NULL) {
    die("client: Metadata failed");
  }
  free(request.at);
  free(answer.at);
  return fd;
}

/** Connects again and again until ApiVersions is answered; prints the milliseconds from `since=` (CLOCK_REALTIME, ms). */
int ping_main(void) {
  Buffer request = {0}, answer = {0};
  put_api_versions_request(&request);
  for (int tries = 0; tries < 20000; tries++) {
    int fd = dial();
    bool answered = fd >= 0 && ask(fd, &request, &answer) && answer.at[4] == 0 && answer.at[5] == 0;
    if (fd >= 0) close(fd);
    if (answered) {
      struct timespec t;
      clock_gettime(CLOCK_REALTIME, &t);
      printf("{\"ms\":%.1f}\n", (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6 - atof(option("since", "0")));
      return 0;
    }
    usleep(1000);
  }
  die("ping: no answer");
}

/** Opens `conns=` clients and holds them until its input ends. */
int idle_main(void) {
  long count = number("conns", 1000);
  for (long i = 0; i < count; i++) {
    int fd = start_client();
    Buffer request = {0};
    put_produce(&request, 5, 1 << OPEN_TOPIC, 100, 1);
    uint8_t answer[256];
    if (!send_all(fd, request.at, request.size) || !read_all(fd, answer, 4) || !read_all(fd, answer, read32(answer))) die("idle: no answer");
    free(request.at);
  }
  printf("{\"conns\":%ld}\n", count);
  fflush(stdout);
  while (getchar() != EOF) continue;
  return 0;
}

int main(int count, char **values) {
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  set_options(count, values);
  const char *program = count > 1 ? values[1] : "";
  if (strcmp(program, "sink") == 0) return sink_main();
  if (strcmp(program, "load") == 0) return load_main();
  if (strcmp(program, "connect") == 0) return connect_main();
  if (strcmp(program, "check-sink") == 0) return check_sink_main();
  if (strcmp(program, "check") == 0) return check_main();
  if (strcmp(program, "idle") == 0) return idle_main();
  if (strcmp(program, "ping") == 0) return ping_main();
  die("sink | load | connect | check-sink | check | idle | ping, then port=, token=FILE and what each asks for");
}
