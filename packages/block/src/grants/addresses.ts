/**
 * IP addresses: reading them strictly, ranges, and why an address is not a plain public one.
 * The only file that knows the address library.
 */
import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface AddressRange {
  readonly base: Address;
  /** Prefix length in bits. */
  readonly bits: number;
}

/**
 * An address in its plain spelling: four decimal parts, or IPv6 without brackets and zone. Else undefined.
 */
export function readAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  // The library takes `::1.2.3.4` for `::ffff:1.2.3.4`; a URL spells both without dots.
  const plain = text.includes(".") ? URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1) : text;
  return plain === undefined ? undefined : ipaddr.IPv6.parse(plain);
}

/**
 * The range of an address and a prefix length; undefined when the length is too long or bits stand beyond it.
 */
export function rangeOf(base: Address, bits: number): AddressRange | undefined {
  const bytes = base.toByteArray();
  if (!Number.isInteger(bits) || bits < 0 || bits > bytes.length * 8) return undefined;
  const beyond = bytes.some((byte, at) => {
    const kept = Math.min(8, Math.max(0, bits - at * 8));
    return (byte & (0xff >> kept)) !== 0;
  });
  return beyond ? undefined : { base, bits };
}

export function inRange(address: Address, range: AddressRange): boolean {
  const { base, bits } = range;
  if (address instanceof ipaddr.IPv4) return base instanceof ipaddr.IPv4 && address.match(base, bits);
  return base instanceof ipaddr.IPv6 && address.match(base, bits);
}

/** As it stands in a URL and in a grant: IPv6 in brackets. */
export function hostText(address: Address): string {
  return address instanceof ipaddr.IPv4 ? address.toString() : `[${address.toRFC5952String()}]`;
}

/** Where clouds keep the credentials of a machine. */
const METADATA: ReadonlySet<string> = new Set([
  "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254",
].map((text) => ipaddr.parse(text).toString()));

const V4_WORDS: Readonly<Record<string, string>> = {
  loopback: "loopback address", private: "private address", linkLocal: "link-local address",
  carrierGradeNat: "shared address", multicast: "multicast address", unspecified: "unspecified address",
};

const V6_WORDS: Readonly<Record<string, string>> = {
  loopback: "loopback address", uniqueLocal: "private address", linkLocal: "link-local address",
  multicast: "multicast address", unspecified: "unspecified address", ipv4Mapped: "IPv4 inside IPv6",
  rfc6145: "IPv4 inside IPv6", rfc6052: "IPv4 inside IPv6", "6to4": "IPv4 inside IPv6",
  teredo: "IPv4 inside IPv6",
};

/** Global unicast: whatever lies outside is not handed out to anybody. */
const GLOBAL_V6 = { base: ipaddr.IPv6.parse("2000::"), bits: 3 };
/** The old "compatible" form `::a.b.c.d`. */
const COMPATIBLE_V6 = { base: ipaddr.IPv6.parse("::"), bits: 96 };

/**
 * Why restricted mode does not connect to the address without a grant of its own; undefined for a public one.
 */
export function dangerOf(address: Address): string | undefined {
  if (METADATA.has(address.toString())) return "metadata address";
  const range = address.range();
  if (address instanceof ipaddr.IPv4) {
    return range === "unicast" ? undefined : V4_WORDS[range] ?? "reserved address";
  }
  const word = V6_WORDS[range];
  if (word !== undefined) return word;
  if (inRange(address, COMPATIBLE_V6) || isIsatap(address)) return "IPv4 inside IPv6";
  return range === "unicast" && inRange(address, GLOBAL_V6) ? undefined : "reserved address";
}

/** `…:0:5efe:a.b.c.d` and `…:200:5efe:a.b.c.d` tunnel to the IPv4 address in their last 32 bits. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [high, low] = [address.parts[4], address.parts[5]];
  return low === 0x5efe && (high === 0 || high === 0x200);
}
