/**
 * What the compressor of header blocks knows before the first one (SPDY Protocol Draft 3.1, section 2.6.10.1): names, each behind its length in 32 bits, and
 * then texts without any. 1,423 bytes with the Adler-32 checksum e3c6a7c2, which its test compares.
 */
export function headerDictionary(): Uint8Array {
  const encoder = new TextEncoder();
  const texts = encoder.encode(unprefixed);
  const dictionary = new Uint8Array(prefixed.reduce((size, word) => size + 4 + word.length, texts.length));
  let at = 0;
  for (const word of prefixed) {
    dictionary[at + 3] = word.length;
    dictionary.set(encoder.encode(word), at + 4);
    at += 4 + word.length;
  }
  dictionary.set(texts, at);
  return dictionary;
}

const prefixed = [
  ...'options head post put delete trace'.split(' '),
  ...'accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection'.split(' '),
  ...'content-base content-encoding content-language content-length content-location content-md5 content-range content-type'.split(' '),
  ...'date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since'.split(' '),
  ...'last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server'.split(' '),
  ...'te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status'.split(' '),
  '200 OK',
  ...'version HTTP/1.1 url public set-cookie keep-alive origin'.split(' '),
];

const unprefixed =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found' +
  '500 Internal Server Error501 Not Implemented503 Service Unavailable' +
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,' +
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';
