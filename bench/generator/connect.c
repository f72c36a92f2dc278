// Clients that come and go: each of `conns=` threads connects, logs in, asks for Metadata and leaves, again and again; what is counted is connections.
#include <stdatomic.h>
#include <unistd.h>
#include "kafka.h"

enum { MAX_THREADS = 64, MAX_LATENCIES = 1 << 20 };

static uint64_t ends_at;
static atomic_ulong connections;
static uint64_t latencies[MAX_LATENCIES];

static void *come_and_go(void *nothing) {
  for (uint64_t since; (since = now_ns()) < ends_at;) {
    close(start_client());
    latencies[atomic_fetch_add(&connections, 1) % MAX_LATENCIES] = now_ns() - since;
  }
  return nothing;
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

int connect_main(void) {
  long count = number("conns", 1);
  if (count > MAX_THREADS) die("connect: too many threads");
  close(start_client());
  puts("ready");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  uint64_t begin = now_ns();
  ends_at = begin + (uint64_t)(atof(option("seconds", "1")) * 1e9);
  pthread_t threads[MAX_THREADS];
  for (long i = 0; i < count; i++) pthread_create(&threads[i], NULL, come_and_go, NULL);
  for (long i = 0; i < count; i++) pthread_join(threads[i], NULL);
  double seconds = (double)(now_ns() - begin) / 1e9;
  size_t measured = connections < MAX_LATENCIES ? connections : MAX_LATENCIES;
  qsort(latencies, measured, sizeof *latencies, by_size);
  printf("{\"seconds\":%.4f,\"requests\":%lu,\"judged\":%lu,\"bytes\":0,\"p50Us\":%.1f,\"p99Us\":%.1f}\n", seconds, connections, connections + 1,
         (double)latencies[measured / 2] / 1e3, (double)latencies[measured - 1 - measured / 100] / 1e3);
  return 0;
}
