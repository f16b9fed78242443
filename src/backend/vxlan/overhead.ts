import type { Family } from '../../net/ip.ts'

/**
 * Octets VXLAN adds around an inner packet, by the family of the underlay: outer IP 20 (40) + UDP 8 + VXLAN 8 + inner Ethernet 14
 * (RFC 7348 §5).
 */
export const VXLAN_OVERHEAD: Readonly<Record<Family, number>> = { 4: 50, 6: 70 }

/** Smallest MTU in octets with which the kernel speaks a family at all: RFC 791 §3.2, RFC 8200 §5. */
export const SMALLEST_MTU: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 }

/** MTU for the overlay on an underlay of `underlayMtu` octets. */
export const overlayMtu = (underlayMtu: number, underlayFamily: Family): number =>
  underlayMtu - VXLAN_OVERHEAD[underlayFamily]
