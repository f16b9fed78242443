#include "packet.h"

#include <arpa/inet.h>
#include <string.h>

enum { TCP_LEAST = 20, UDP_HEADER = 8, TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_ECE = 0x40, TCP_CWR = 0x80 };
enum { DONT_FRAGMENT = 0x4000, MORE_FRAGMENTS = 0x2000, FRAGMENT_OFFSET = 0x1fff };

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

/*
 * Sums of 16-bit words do not depend on the order of octets within a word (RFC 1071, 2.B): they are made and stored as the machine reads
 * them. 32 bits at a time: 64 cannot overflow over any packet.
 */
static uint64_t sum_of(const uint8_t *data, size_t length, uint64_t sum) {
  uint64_t others[3] = {0};
  uint32_t words[4];
  for (; length >= sizeof words; data += sizeof words, length -= sizeof words) {
    memcpy(words, data, sizeof words);
    sum += words[0];
    others[0] += words[1];
    others[1] += words[2];
    others[2] += words[3];
  }
  sum += others[0] + others[1] + others[2];
  for (; length >= 2; data += 2, length -= 2) {
    uint16_t word;
    memcpy(&word, data, sizeof word);
    sum += word;
  }
  if (length != 0) {
    uint16_t word = 0;
    memcpy(&word, data, 1);
    sum += word;
  }
  return sum;
}

static uint16_t fold(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static void put_sum(uint8_t *at, uint16_t sum) { memcpy(at, &sum, sizeof sum); }

/* Of the pseudo header (RFC 9293, 3.1; RFC 768): both addresses, the protocol, the length of what follows. */
static uint64_t pseudo_sum(const uint8_t *packet, uint8_t protocol, size_t length) {
  return sum_of(packet + 12, 8, htons(protocol)) + htons((uint16_t)length);
}

static bool options_fine(const uint8_t *option, const uint8_t *end) {
  while (option < end) {
    if (*option == 0) return true; /* end of the list */
    if (*option == 1) {
      option++;
      continue;
    }
    if (end - option < 2 || option[1] < 2 || option[1] > end - option) return false;
    option += option[1];
  }
  return true;
}

static bool fragment_fine(const Ip *ip) {
  size_t payload = (size_t)(ip->length - ip->header), offset = (size_t)(ip->fragment & FRAGMENT_OFFSET) * 8;
  if ((ip->fragment & MORE_FRAGMENTS) != 0 && (payload == 0 || payload % 8 != 0)) return false;
  return ip->header + offset + payload <= PACKET_MOST;
}

PacketFault read_ip(const uint8_t *packet, size_t length, Ip *ip) {
  if (length == 0) return PACKET_MALFORMED;
  if (packet[0] >> 4 != 4) return PACKET_NOT_IPV4;
  if (length < IP_LEAST || length > PACKET_MOST) return PACKET_MALFORMED;
  *ip = (Ip){.source = get32(packet + 12),
             .destination = get32(packet + 16),
             .length = get16(packet + 2),
             .header = (uint16_t)((packet[0] & 15) * 4),
             .fragment = get16(packet + 6),
             .protocol = packet[9],
             .ttl = packet[8]};
  if (ip->header < IP_LEAST || ip->length < ip->header || ip->length != length) return PACKET_MALFORMED;
  return options_fine(packet + IP_LEAST, packet + ip->header) && fragment_fine(ip) ? PACKET_FINE : PACKET_MALFORMED;
}

bool ip_sum_right(const uint8_t *packet, const Ip *ip) { return fold(sum_of(packet, ip->header, 0)) == 0xffff; }

void lower_ttl(uint8_t *packet) {
  uint16_t before, after, sum;
  memcpy(&before, packet + 8, sizeof before);
  packet[8]--;
  memcpy(&after, packet + 8, sizeof after);
  memcpy(&sum, packet + 10, sizeof sum);
  put_sum(packet + 10, (uint16_t)~fold((uint64_t)(uint16_t)~sum + (uint16_t)~before + after));
}

bool fill_sum(uint8_t *packet, const Ip *ip, size_t start, size_t offset) {
  if (start < ip->header || start + offset + 2 > ip->length) return false;
  uint16_t sum = (uint16_t)~fold(sum_of(packet + start, ip->length - start, 0));
  put_sum(packet + start + offset, sum == 0 && ip->protocol == PROTOCOL_UDP ? 0xffff : sum);
  return true;
}

/* Whether an address may be answered: it is one host's. */
static bool is_host(uint32_t address) { return address >> 24 != 0 && address >> 24 != 127 && address >> 28 < 14; }

/* Questions and answers, about which errors may be sent: echo, router discovery, time stamps, information, masks. */
static bool is_inquiry(uint8_t type) {
  return type == 0 || (type >= 8 && type <= 10) || (type >= 13 && type <= 18) || type == 42 || type == 43;
}

size_t make_icmp_error(uint8_t *out, int type, int code, uint16_t mtu, uint32_t from, const uint8_t *packet, const Ip *ip) {
  bool is_later = (ip->fragment & FRAGMENT_OFFSET) != 0;
  bool is_error = ip->protocol == PROTOCOL_ICMP && (ip->length == ip->header || !is_inquiry(packet[ip->header]));
  if (is_later || is_error || !is_host(ip->source) || ip->destination >> 28 >= 14) return 0;
  size_t quoted = ip->length < ICMP_MOST - IP_LEAST - 8 ? ip->length : ICMP_MOST - IP_LEAST - 8;
  size_t length = IP_LEAST + 8 + quoted;
  uint8_t *icmp = out + IP_LEAST;
  memset(out, 0, IP_LEAST + 8);
  out[0] = 0x45;
  out[1] = 0xc0; /* precedence of network control (RFC 1812, 4.3.2.5) */
  put16(out + 2, (uint32_t)length);
  out[8] = 64;
  out[9] = PROTOCOL_ICMP;
  put32(out + 12, from);
  put32(out + 16, ip->source);
  put_sum(out + 10, (uint16_t)~fold(sum_of(out, IP_LEAST, 0)));
  icmp[0] = (uint8_t)type;
  icmp[1] = (uint8_t)code;
  put16(icmp + 6, mtu);
  memcpy(icmp + 8, packet, quoted);
  put_sum(icmp + 2, (uint16_t)~fold(sum_of(icmp, 8 + quoted, 0)));
  return length;
}

/* Octets of the headers of a packet of TCP or UDP that is no fragment; 0 when they are not all there, or not right. */
static size_t headers_of(const uint8_t *packet, const Ip *ip) {
  size_t rest = (size_t)(ip->length - ip->header), length = UDP_HEADER;
  if ((ip->fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) != 0) return 0;
  if (ip->protocol == PROTOCOL_TCP) {
    if (rest < TCP_LEAST) return 0;
    length = (size_t)(packet[ip->header + 12] >> 4) * 4;
    if (length < TCP_LEAST) return 0;
  } else if (ip->protocol != PROTOCOL_UDP)
    return 0;
  return rest < length ? 0 : ip->header + length;
}

bool read_gso(const uint8_t *packet, const Ip *ip, uint16_t size, Gso *gso) {
  size_t headers = headers_of(packet, ip);
  *gso = (Gso){.packet = packet,
                   .length = ip->length,
                   .headers = (uint16_t)headers,
                   .ip = ip->header,
                   .size = size,
                   .protocol = ip->protocol};
  return headers != 0 && size != 0;
}

unsigned gso_segments(const Gso *gso) {
  unsigned payload = gso->length - gso->headers;
  return payload <= gso->size ? 1 : (payload + gso->size - 1) / gso->size;
}

void make_segment(const Gso *gso, unsigned at, const uint8_t *payload, size_t length, uint8_t *out) {
  uint8_t *transport = out + gso->ip;
  bool is_last = at + 1 == gso_segments(gso);
  size_t transport_length = gso->headers - gso->ip + length;
  memcpy(out, gso->packet, gso->headers);
  put16(out + 2, (uint32_t)(gso->headers + length));
  put16(out + 4, get16(out + 4) + at);
  put_sum(out + 10, 0);
  put_sum(out + 10, (uint16_t)~fold(sum_of(out, gso->ip, 0)));
  if (gso->protocol == PROTOCOL_TCP) {
    put32(transport + 4, get32(transport + 4) + at * gso->size);
    if (!is_last) transport[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
    if (at != 0) transport[13] &= (uint8_t)~TCP_CWR;
  } else
    put16(transport + 4, (uint32_t)transport_length);
  put_sum(transport + sum_offset(gso->protocol), 0);
  uint64_t sum = pseudo_sum(out, gso->protocol, transport_length);
  sum = sum_of(payload, length, sum_of(transport, gso->headers - gso->ip, sum));
  uint16_t folded = (uint16_t)~fold(sum);
  put_sum(transport + sum_offset(gso->protocol), folded == 0 && gso->protocol == PROTOCOL_UDP ? 0xffff : folded);
}

bool begins_gso(const uint8_t *packet, const Ip *ip, Gso *gso) {
  const uint8_t *transport = packet + ip->header;
  size_t headers = ip->header == IP_LEAST ? headers_of(packet, ip) : 0;
  if (headers == 0 || headers == ip->length || !read_gso(packet, ip, (uint16_t)(ip->length - headers), gso)) return false;
  if (ip->protocol == PROTOCOL_TCP) return (transport[13] & ~TCP_ECE) == TCP_ACK && get16(transport + 18) == 0;
  return get16(transport + 4) == ip->length - ip->header && get16(transport + 6) != 0;
}

/* All of the IP header but length, identification and checksum. */
static bool same_ip(const uint8_t *a, const uint8_t *b) {
  return memcmp(a, b, 2) == 0 && memcmp(a + 6, b + 6, 4) == 0 && memcmp(a + 12, b + 12, 8) == 0;
}

GsoNext continues_gso(const Gso *gso, unsigned segments, const uint8_t *packet, const Ip *ip) {
  const uint8_t *first = gso->packet + IP_LEAST, *next = packet + IP_LEAST;
  if (ip->header != IP_LEAST || ip->length <= gso->headers || !same_ip(gso->packet, packet)) return GSO_NO;
  size_t payload = (size_t)(ip->length - gso->headers);
  bool same_number = (ip->fragment & DONT_FRAGMENT) != 0 || get16(packet + 4) == (uint16_t)(get16(gso->packet + 4) + segments);
  if (payload > gso->size || !same_number || headers_of(packet, ip) != gso->headers || memcmp(first, next, 4) != 0)
    return GSO_NO;
  if (gso->protocol == PROTOCOL_UDP) {
    if (get16(next + 4) != ip->length - IP_LEAST || get16(next + 6) == 0) return GSO_NO;
    return payload == gso->size ? GSO_MORE : GSO_LAST;
  }
  bool follows = get32(next + 4) == get32(first + 4) + segments * gso->size;
  bool same = memcmp(first + 8, next + 8, 5) == 0 && ((first[13] ^ next[13]) & ~TCP_PSH) == 0 &&
              memcmp(first + 14, next + 14, 2) == 0 && memcmp(first + 18, next + 18, gso->headers - IP_LEAST - 18) == 0;
  if (!follows || !same) return GSO_NO;
  return payload == gso->size && (next[13] & TCP_PSH) == 0 ? GSO_MORE : GSO_LAST;
}

bool transport_sum_right(const uint8_t *packet, const Ip *ip) {
  size_t length = (size_t)(ip->length - ip->header);
  return fold(sum_of(packet + ip->header, length, pseudo_sum(packet, ip->protocol, length))) == 0xffff;
}

void make_gso_headers(const Gso *gso, bool pushes, uint8_t *out) {
  uint8_t *transport = out + gso->ip;
  size_t transport_length = gso->length - gso->ip;
  memcpy(out, gso->packet, gso->headers);
  put16(out + 2, gso->length);
  put_sum(out + 10, 0);
  put_sum(out + 10, (uint16_t)~fold(sum_of(out, gso->ip, 0)));
  if (gso->protocol == PROTOCOL_UDP) put16(transport + 4, (uint32_t)transport_length);
  else if (pushes) transport[13] |= TCP_PSH;
  put_sum(transport + sum_offset(gso->protocol), fold(pseudo_sum(out, gso->protocol, transport_length)));
}
