/* IPv4 packets as octets: read, judged, changed and made. Pure: no calls, no clock, nothing beyond the length that is given. */
#ifndef FLANNEL_UDP_PACKET_H
#define FLANNEL_UDP_PACKET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IP_LEAST 20           /* octets of a header without options (RFC 791, 3.1) */
#define HEADERS_MOST 120      /* the longest IP header, and the longest of TCP */
#define PACKET_MOST 65535
#define ICMP_MOST 576         /* octets of an ICMP error, quoted packet included (RFC 1812, 4.3.2.3) */
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* What a packet says of itself; addresses as numbers. */
typedef struct {
  uint32_t source, destination;
  uint16_t length;   /* of the whole packet */
  uint16_t header;   /* of its IP header */
  uint16_t fragment; /* flags and offset as they stand in the header: 0x4000 don't fragment, 0x2000 more follow */
  uint8_t protocol, ttl;
} Ip;

typedef enum { PACKET_FINE, PACKET_NOT_IPV4, PACKET_MALFORMED } PacketFault;

/* Reads a packet of exactly `length` octets. Whether its header's checksum is right is `ip_sum_right`'s to say. */
PacketFault read_ip(const uint8_t *packet, size_t length, Ip *ip);
bool ip_sum_right(const uint8_t *packet, const Ip *ip);

/* Takes one from the TTL, which is not 0, and mends the checksum by as much (RFC 1624). */
void lower_ttl(uint8_t *packet);

/* Fills in the checksum from `start` to the end, over what stands in its place: `start` + `offset`. Whether it lies within. */
bool fill_sum(uint8_t *packet, const Ip *ip, size_t start, size_t offset);

/* ICMP errors (RFC 792). */
enum { ICMP_UNREACHABLE = 3, ICMP_EXPIRED = 11, ICMP_NET = 0, ICMP_TOO_BIG = 4 };

/*
 * The error about a packet, into room for ICMP_MOST octets: its length; 0 where none may be sent (RFC 1122, 3.2.2). `mtu` is 0 but for
 * ICMP_TOO_BIG (RFC 1191).
 */
size_t make_icmp_error(uint8_t *out, int type, int code, uint16_t mtu, uint32_t from, const uint8_t *packet, const Ip *ip);

/*
 * What the kernel hands over, and takes, in place of many packets of one flow (generic segmentation offload): the headers of the first, and
 * all payloads one after the other. While one is put together, `packet` is the first of them and `length` grows.
 */
typedef struct {
  const uint8_t *packet;
  uint32_t length;  /* of headers and all payloads */
  uint16_t headers; /* IP's and the transport's */
  uint16_t ip;      /* IP's alone */
  uint16_t size;    /* of each payload but the last, which may be shorter */
  uint8_t protocol;
} Gso;

/* Reads one whose IP header was read. `size` is not 0. Whether it is one. */
bool read_gso(const uint8_t *packet, const Ip *ip, uint16_t size, Gso *gso);
unsigned gso_segments(const Gso *gso);
/* Headers of the segment that is number `at`, whose payload of `length` octets is given, into room for HEADERS_MOST. */
void make_segment(const Gso *gso, unsigned at, const uint8_t *payload, size_t length, uint8_t *out);

typedef enum { GSO_NO, GSO_MORE, GSO_LAST } GsoNext;

/* Whether others may follow a packet, and what they would make together. */
bool begins_gso(const uint8_t *packet, const Ip *ip, Gso *gso);
/* Whether a packet is the next after so many of whole size. Checksums of the transport are not looked at. */
GsoNext continues_gso(const Gso *gso, unsigned segments, const uint8_t *packet, const Ip *ip);
/* Whether the transport's checksum, which is there, is right. */
bool transport_sum_right(const uint8_t *packet, const Ip *ip);
/* Headers of all as the kernel takes them, the transport's checksum to be filled in by it, into room for HEADERS_MOST. */
void make_gso_headers(const Gso *gso, bool pushes, uint8_t *out);

/* Where the checksum of TCP or UDP stands in its header. */
static inline size_t sum_offset(uint8_t protocol) { return protocol == PROTOCOL_TCP ? 16 : 6; }

#endif
