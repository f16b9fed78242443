#define _GNU_SOURCE /* memmem */
/*
 * put HOST PORT DIRECTORY: writes keys to etcd as barely as it can be done, and says when. For each line of standard input, a key and its
 * value with a tab between them, one line with three times on the monotonic clock in nanoseconds: the request was sent, etcd's answer was read,
 * and etcd had told of the change whoever watches the directory, on a connection of its own. HTTP/2 (RFC 9113) with nothing
 * that can be left out, and the few bytes of protobuf that requests take.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { NO_ERROR = 0 };
#define WINDOW 0x40000000
#define MOST 65536

typedef struct {
  int fd;
  /* In use, and the last one on which a message came. */
  uint32_t stream, heard;
  uint8_t out[MOST], in[MOST];
  size_t written, read;
} Connection;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void bytes(Connection *c, const void *data, size_t length) {
  if (c->written + length > MOST) die("a request is too long");
  memcpy(c->out + c->written, data, length);
  c->written += length;
}

static void byte(Connection *c, uint8_t value) { bytes(c, &value, 1); }

static void number(uint8_t *at, uint32_t value) {
  uint32_t ordered = htonl(value);
  memcpy(at, &ordered, 4);
}

/* A frame's header with its length still to come. Gives where it begins. */
static size_t begin(Connection *c, uint8_t type, uint8_t flags, uint32_t stream) {
  size_t at = c->written;
  uint8_t header[9] = {0, 0, 0, type, flags};
  number(header + 5, stream);
  bytes(c, header, sizeof header);
  return at;
}

static void end(Connection *c, size_t at) {
  size_t length = c->written - at - 9;
  c->out[at] = (uint8_t)(length >> 16), c->out[at + 1] = (uint8_t)(length >> 8), c->out[at + 2] = (uint8_t)length;
}

static void flush(Connection *c) {
  for (size_t at = 0; at < c->written;) {
    ssize_t sent = send(c->fd, c->out + at, c->written - at, MSG_NOSIGNAL);
    if (sent < 0) die("send");
    at += (size_t)sent;
  }
  c->written = 0;
}

/* Literal, without indexing and without Huffman's code (RFC 7541, 6.2.2). */
static void header(Connection *c, const char *name, const char *value) {
  byte(c, 0), byte(c, (uint8_t)strlen(name)), bytes(c, name, strlen(name));
  byte(c, (uint8_t)strlen(value)), bytes(c, value, strlen(value));
}

static void headers(Connection *c, const char *method) {
  size_t at = begin(c, HEADERS, END_HEADERS, c->stream);
  header(c, ":method", "POST"), header(c, ":scheme", "http"), header(c, ":path", method), header(c, ":authority", "etcd");
  header(c, "content-type", "application/grpc"), header(c, "te", "trailers");
  end(c, at);
}

static void field(Connection *c, uint8_t tag, const char *text, size_t length) {
  byte(c, tag);
  for (size_t left = length; ; left >>= 7) {
    byte(c, (uint8_t)(left < 0x80 ? left : (left & 0x7f) | 0x80));
    if (left < 0x80) break;
  }
  bytes(c, text, length);
}

/* A message of gRPC: not compressed, its length, itself. */
static void message(Connection *c, uint8_t flags, const uint8_t *body, size_t length) {
  uint8_t prefix[5] = {0};
  size_t at = begin(c, DATA, flags, c->stream);
  number(prefix + 1, (uint32_t)length);
  bytes(c, prefix, sizeof prefix), bytes(c, body, length);
  end(c, at);
}

static void open_connection(Connection *c, const char *host, const char *port) {
  static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  int yes = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  inet_pton(AF_INET, host, &to.sin_addr);
  c->stream = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  bytes(c, preface, sizeof preface - 1);
  /* Nobody is to wait for us to take what was sent: neither a stream (SETTINGS_INITIAL_WINDOW_SIZE) nor the connection. */
  uint8_t window[6] = {0, 4};
  number(window + 2, WINDOW);
  size_t at = begin(c, SETTINGS, 0, 0);
  bytes(c, window, 6);
  end(c, at);
  at = begin(c, WINDOW_UPDATE, 0, 0);
  bytes(c, window + 2, 4);
  end(c, at);
}

/* Reads what there is and answers what has to be. Gives whether a message came on the stream that it is about, with this text in it. */
static int read_frames(Connection *c, const char *wanted) {
  int found = 0;
  ssize_t got = recv(c->fd, c->in + c->read, MOST - c->read, 0);
  if (got <= 0) die("recv");
  c->read += (size_t)got;
  for (;;) {
    size_t length = c->read < 9 ? MOST : (size_t)(c->in[0] << 16 | c->in[1] << 8 | c->in[2]);
    if (c->read < 9 || c->read < 9 + length) break;
    uint8_t type = c->in[3], flags = c->in[4];
    uint32_t stream;
    memcpy(&stream, c->in + 5, 4);
    if (type == DATA && ntohl(stream) == c->stream) {
      c->heard = c->stream;
      found |= memmem(c->in + 9, length, wanted, strlen(wanted)) != NULL;
    }
    /* Whoever has answered before he has seen the end of the request says so: nothing is wrong with it (RFC 9113, 8.1). */
    uint32_t reason = NO_ERROR;
    if (type == RST_STREAM) memcpy(&reason, c->in + 9, 4);
    if (type == GOAWAY || ntohl(reason) != NO_ERROR) die("etcd ended the stream");
    if (type == HEADERS && (flags & END_STREAM) != 0 && ntohl(stream) == c->stream && c->heard != c->stream)
      die("etcd refused");
    if ((type == SETTINGS || type == PING) && (flags & ACK) == 0) {
      size_t at = begin(c, type, ACK, 0);
      if (type == PING) bytes(c, c->in + 9, length);
      end(c, at);
      flush(c);
    }
    memmove(c->in, c->in + 9 + length, c->read -= 9 + length);
  }
  return found;
}

static void watch(Connection *c, const char *directory) {
  static Connection body, request;
  size_t length = strlen(directory);
  char behind[256];
  snprintf(behind, sizeof behind, "%s", directory);
  behind[length - 1]++;
  field(&request, 0x0a, directory, length), field(&request, 0x12, behind, length);
  field(&body, 0x0a, (const char *)request.out, request.written);
  headers(c, "/etcdserverpb.Watch/Watch");
  message(c, 0, body.out, body.written);
  flush(c);
  while (!read_frames(c, "")) continue;
}

/* The answer's end comes after its message; it is left for the next look. */
static void put(Connection *writer, Connection *watcher, char *line) {
  static Connection body;
  char *value = strchr(line, '\t');
  long long answered = 0, watched = 0;
  if (value == NULL) die("a line without a value");
  *value++ = 0;
  body.written = 0;
  field(&body, 0x0a, line, strlen(line)), field(&body, 0x12, value, strlen(value));
  headers(writer, "/etcdserverpb.KV/Put");
  message(writer, END_STREAM, body.out, body.written);
  flush(writer);
  long long sent = now();
  while (answered == 0 || watched == 0) {
    struct pollfd waits[] = {{.fd = writer->fd, .events = POLLIN}, {.fd = watcher->fd, .events = POLLIN}};
    if (poll(waits, 2, -1) < 0) die("poll");
    long long time = now();
    if (waits[0].revents != 0 && read_frames(writer, "") && answered == 0) answered = time;
    if (waits[1].revents != 0 && read_frames(watcher, value) && watched == 0) watched = time;
  }
  writer->stream += 2;
  printf("%lld %lld %lld\n", sent, answered, watched);
  fflush(stdout);
}

int main(int count, char **arguments) {
  static Connection writer, watcher;
  static char line[MOST / 2];
  if (count != 4) return 2;
  open_connection(&writer, arguments[1], arguments[2]);
  open_connection(&watcher, arguments[1], arguments[2]);
  flush(&writer);
  watch(&watcher, arguments[3]);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    put(&writer, &watcher, line);
  }
  return 0;
}
