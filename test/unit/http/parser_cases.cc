#include "parser_cases.h"

#include "http/response.h"

namespace stampede::http {
namespace {

using namespace std::string_literals;

std::string repeat(size_t count, const std::string& text) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";
const std::string kOkGet = "GET / body=[] keep-alive";
const std::string kByteRefusal = "bad_request: a byte that may not stand here";
const std::string kHostRefusal = "bad_request: the Host header is invalid";
const std::string kLengthRefusal = "bad_request: Content-Length is not a length";
const std::string kNameRefusal =
    "bad_request: a header name holds a byte that is not allowed, or is not followed by a colon";
const std::string kTwiceRefusal = "bad_request: a header that may come once came twice";
const std::string kTargetRefusal = "bad_request: a target is a path or an http URL";
const std::string kVersionRefusal = "bad_request: a request line ends in HTTP/1.1";
const std::string kSpaceRefusal = "bad_request: a target is followed by one space and the version";
const std::string kTargetByteRefusal =
    "bad_request: a target holds a byte that must be percent-encoded";
const std::string kTargetHostRefusal = "bad_request: the host in the target is invalid";
const std::string kMethodRefusal = "bad_request: a request begins with a method and one space";
const std::string kExtensionRefusal = "bad_request: a chunk extension is malformed";
const std::string kTooLarge = "body_too_large: the body is larger than 4 KiB";
const std::string kBothRefusal = "bad_request: Content-Length and Transfer-Encoding together";
const std::string kUnknownCoding = "not_implemented: the only transfer coding is chunked";
const std::string kNotChunked = "bad_request: the last transfer coding is not chunked";
const std::string kNotLast = "bad_request: chunked is not the last transfer coding";
const std::string kMalformedCoding = "bad_request: Transfer-Encoding is malformed";

std::string refused_host(const std::string& value) {
  return "GET / HTTP/1.1\r\nHost: " + value + "\r\n";
}

std::string head_of(size_t bytes) {
  std::string head = kGet + "Cookie: ";
  return head + std::string(bytes - head.size() - 4, 'c') + "\r\n\r\n";
}

std::vector<ParserCase> accepted_cases() {
  return {
      {"the smallest request", kGet + "\r\n", kOkGet},
      {"what wrk sends",
       "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-User-Id: u1\r\nContent-Type: "
       "application/json\r\n"
       "Content-Length: 25\r\n\r\n{\"item\":\"ticket\",\"qty\":1}",
       "POST /v1/orders body=[{\"item\":\"ticket\",\"qty\":1}] keep-alive "
       "host=[127.0.0.1:8080] user=[u1] type=[application/json]"},
      {"what curl sends",
       "GET /v1/time HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: "
       "*/*\r\n\r\n",
       "GET /v1/time body=[] keep-alive host=[localhost:8080]"},
      {"every header that is known",
       kPost + "x-user-id: u\r\nAUTHORIZATION: Bearer v1.a\r\nIdempotency-Key: "
               "k\r\nStampede-Signature: t=1,v1=00\r\nSTAMPEDE-Proof: v1.p\r\n"
               "Content-Type: text/plain\r\nIf-None-Match: \"e\"\r\nContent-Length: 0\r\n\r\n",
       "POST / body=[] keep-alive user=[u] authorization=[Bearer v1.a] key=[k] "
       "signature=[t=1,v1=00] proof=[v1.p] "
       "type=[text/plain] match"},
      {"white space around a value", kGet + "X-User-Id: \t u 1 \t \r\n\r\n",
       kOkGet + " user=[u 1]"},
      {"no white space around a value", "GET / HTTP/1.1\r\nHost:a\r\nX-User-Id:u1\r\n\r\n",
       kOkGet + " user=[u1]"},
      {"an empty value of a header that is not known", kGet + "X:\r\nY: \t\r\n\r\n", kOkGet},
      {"high bytes in a value", kGet + "X: \x80\xff\r\n\r\n", kOkGet},
      {"an empty line before the request", "\r\n" + kGet + "\r\n", kOkGet},
      {"a query", "GET /a?b=c&d=?/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /a?b=c&d=?/ body=[] keep-alive"},
      {"a full URL as target", "GET http://h.example:80/a?b HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /a?b body=[] keep-alive host=[h.example:80]"},
      {"a full URL without path", "GET HTTPS://h?b HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /?b body=[] keep-alive host=[h]"},
      {"a full URL replaces Host", "GET http://h:80/ HTTP/1.1\r\nHost: a\r\nX-User-Id: u\r\n\r\n",
       kOkGet + " host=[h:80] user=[u]"},
      {"a full URL of an IPv6 address", "GET http://[::1]:8080/a HTTP/1.1\r\nHost: b\r\n\r\n",
       "GET /a body=[] keep-alive host=[[::1]:8080]"},
      {"a full URL of an IPv4 address", "GET http://127.0.0.1/a HTTP/1.1\r\nHost: b\r\n\r\n",
       "GET /a body=[] keep-alive host=[127.0.0.1]"},
      {"a full URL with an empty port", "GET http://h:/a HTTP/1.1\r\nHost: b\r\n\r\n",
       "GET /a body=[] keep-alive host=[h:]"},
      {"a full URL of an encoded name", "GET http://a%2Db!$&'()*+;=/a HTTP/1.1\r\nHost: b\r\n\r\n",
       "GET /a body=[] keep-alive host=[a%2Db!$&'()*+;=]"},
      {"OPTIONS of the server", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS * body=[] keep-alive"},
      {"OPTIONS of the server by its URL", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS * body=[] keep-alive"},
      {"OPTIONS of the root by its URL", "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS / body=[] keep-alive"},
      {"a query of brackets and bars as browsers send it",
       "GET /a?from=[app]{x}|y^z`\\\"<> HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /a?from=[app]{x}|y^z`\\\"<> body=[] keep-alive"},
      {"a query of UTF-8 as apps send it", "GET /a?from=\xe7\xa5\xa8 HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /a?from=\xe7\xa5\xa8 body=[] keep-alive"},
      {"the longest target", "GET /" + std::string(2047, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /" + std::string(2047, 'x') + " body=[] keep-alive"},
      {"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / body=[] keep-alive"},
      {"PUT", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
       "PUT / body=[x] keep-alive"},
      {"PATCH", "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", "OTHER / body=[] keep-alive"},
      {"GET with a body", kGet + "Content-Length: 3\r\n\r\nabc", "GET / body=[abc] keep-alive"},
      {"DELETE with a chunked body",
       "DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "DELETE / body=[x] keep-alive"},
      {"POST without a length", kPost + "\r\n", "POST / body=none keep-alive"},
      {"a body that looks like a request",
       kPost + "Content-Length: 30\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
       "POST / body=[GET /x HTTP/1.1\r\nHost: a\r\n\r\n\r\n] keep-alive"},
      {"the largest body", kPost + "Content-Length: 4096\r\n\r\n" + std::string(4096, 'b'),
       "POST / body=[" + std::string(4096, 'b') + "] keep-alive"},
      {"Connection: close", kGet + "Connection: close\r\n\r\n", "GET / body=[] close"},
      {"close in a list", kGet + "Connection: keep-alive , CLOSE,\r\n\r\n", "GET / body=[] close"},
      {"close in a second line", kGet + "Connection: x\r\nConnection: Close\r\n\r\n",
       "GET / body=[] close"},
      {"Upgrade is ignored", kGet + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", kOkGet},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / body=[] close 1.0"},
      {"HTTP/1.0 that stays open", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
       "GET / body=[] keep-alive 1.0"},
      {"HTTP/1.0 that says both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
       "GET / body=[] close 1.0"},
      {"an expectation in HTTP/1.0", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n",
       "GET / body=[] close 1.0"},
      {"Expect: 100-continue", kPost + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nok",
       "POST / body=[ok] keep-alive"},
      {"64 header lines", "GET / HTTP/1.1\r\n" + repeat(63, "X: y\r\n") + "Host: a\r\n\r\n",
       kOkGet},
      {"a head of 8 KiB", head_of(8192), kOkGet},
      {"If-None-Match in two lines",
       kGet + "If-None-Match: \"a\"\r\nX: y\r\nIf-None-Match: \"b\"\r\n\r\n", kOkGet + " match"},
      {"an IPv6 host", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n",
       kOkGet + " host=[[2001:db8::1]:8080]"},
      {"a host with an empty port", "GET / HTTP/1.1\r\nHost: a_b-c.d~e:\r\n\r\n",
       kOkGet + " host=[a_b-c.d~e:]"},
      {"a host with an encoded byte", "GET / HTTP/1.1\r\nHost: a%41\r\n\r\n",
       kOkGet + " host=[a%41]"},
      {"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", kOkGet + " host=[]"},
      {"an origin", kGet + "Origin: http://evil.example\r\n\r\n",
       kOkGet + " origin=[http://evil.example]"},
      {"headers that a gateway has blanked",
       kGet + "X-User-Id:\r\nAuthorization: \r\nIdempotency-Key:\r\nStampede-Signature:\r\n"
              "Content-Type:\r\nIf-None-Match:\r\nExpect:\r\nContent-Encoding:\r\nOrigin:\r\n\r\n",
       kOkGet + " origin=[] user=[] authorization=[] key=[] signature=[] type=[] match"},
      {"a content coding", kPost + "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
       "POST / body=[] keep-alive coded"},
      {"a content coding in a second line",
       kPost +
           "Content-Encoding: ,identity\r\nContent-Encoding: x, br\r\nContent-Length: 0\r\n\r\n",
       "POST / body=[] keep-alive coded"},
      {"identity is no content coding",
       kPost + "Content-Encoding: , Identity,\r\nContent-Length: 0\r\n\r\n",
       "POST / body=[] keep-alive"},
      {"an expectation in a list",
       kPost + "Expect: ,100-continue\r\nExpect: 100-CONTINUE ,\r\nContent-Length: 0\r\n\r\n",
       "POST / body=[] keep-alive"},
      {"empty members before chunked",
       kPost + "Transfer-Encoding:\r\nTransfer-Encoding: ,  , chunked\r\n\r\n0\r\n\r\n",
       "POST / body=[] keep-alive"},
      {"no chunks", kChunked + "0\r\n\r\n", "POST / body=[] keep-alive"},
      {"chunks", kChunked + "3\r\nabc\r\n0000000A\r\n0123456789\r\n1\r\n\n\r\n00\r\n\r\n",
       "POST / body=[abc0123456789\n] keep-alive"},
      {"CHUNKED", kPost + "transfer-encoding:CHUNKED \r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "POST / body=[x] keep-alive"},
      {"chunk extensions", kChunked + "1;a=\"b; \tc\"\r\nx\r\n1;a=b\r\ny\r\n0;last\r\n\r\n",
       "POST / body=[xy] keep-alive"},
      {"chunk extensions of 64 bytes",
       kChunked + "1;" + std::string(31, 'e') + "\r\nx\r\n0;" + std::string(31, 'e') + "\r\n\r\n",
       "POST / body=[x] keep-alive"},
      {"trailers are dropped",
       kChunked + "0\r\nX-User-Id: u9\r\nExpect: x\r\nConnection: close\r\nHost: b\r\n\r\n",
       "POST / body=[] keep-alive"},
      {"a trailer of 1 KiB", kChunked + "0\r\nT: " + std::string(1017, 't') + "\r\n\r\n",
       "POST / body=[] keep-alive"},
      {"the largest chunked body", kChunked + "1000\r\n" + std::string(4096, 'b') + "\r\n0\r\n\r\n",
       "POST / body=[" + std::string(4096, 'b') + "] keep-alive"},
      {"the largest body in chunks of one byte",
       kChunked + repeat(4096, "1\r\nx\r\n") + "0\r\n\r\n",
       "POST / body=[" + std::string(4096, 'x') + "] keep-alive"},
  };
}

std::vector<ParserCase> refused_lines() {
  return {
      {"two empty lines", "\r\n\r", kMethodRefusal},
      {"LF before the request", "\n", kMethodRefusal},
      {"CR before the request", "\rG", "bad_request: a CR without LF"},
      {"a space before the method", " ", kMethodRefusal},
      {"NUL", "\0"s, kMethodRefusal},
      {"a TLS hello", "\x16", kMethodRefusal},
      {"a tab after the method", "GET\t", kMethodRefusal},
      {"no target", "GET\r", kMethodRefusal},
      {"a byte that no method has", "GE(", kMethodRefusal},
      {"two spaces before the target", "GET  ", kSpaceRefusal},
      {"a target without slash", "GET v", kTargetRefusal},
      {"a target of another scheme", "GET hftp://a/ ", kTargetRefusal},
      {"a target that only begins like a URL", "GET http:/a ", kTargetRefusal},
      {"a URL without host", "GET http:///a ", kTargetHostRefusal},
      {"a URL of a port", "GET http://:80/a ", kTargetHostRefusal},
      {"a URL with a user", "GET http://u@h/a ", kTargetHostRefusal},
      {"a URL of half an IPv6 address", "GET http://[::1/a ", kTargetHostRefusal},
      {"a URL of no IPv6 address", "GET http://[1:2]/a ", kTargetHostRefusal},
      {"a URL of half an encoded name", "GET http://a%4/ ", kTargetHostRefusal},
      {"a URL with brackets in its path", "GET http://a/[ ", kTargetByteRefusal},
      {"a bracket in the path", "GET /[", kTargetByteRefusal},
      {"a bar in the path", "GET /a|", kTargetByteRefusal},
      {"a fragment in a query", "GET /?[#", "bad_request: a target has no fragment"},
      {"a control character in a query", "GET /?\x01", kTargetByteRefusal},
      {"DEL in a query", "GET /?\x7f", kTargetByteRefusal},
      {"a tab after a query", "GET /?\xc3\t", kSpaceRefusal},
      {"GET of the server", "GET * ", "bad_request: only OPTIONS has the target *"},
      {"a longer star", "OPTIONS ** ", kTargetRefusal},
      {"a fragment", "GET /a#", "bad_request: a target has no fragment"},
      {"a control character in the target", "GET /a\x01", kTargetByteRefusal},
      {"NUL in the target", "GET /a\0"s, kTargetByteRefusal},
      {"DEL in the target", "GET /a\x7f", kTargetByteRefusal},
      {"a high byte in the target", "GET /\xc3", kTargetByteRefusal},
      {"a tab after the target", "GET /\t", kSpaceRefusal},
      {"a quote in the target", "GET /\"", kTargetByteRefusal},
      {"a backslash in the target", "GET /\\", kTargetByteRefusal},
      {"HTTP/0.9", "GET /\r", kSpaceRefusal},
      {"a target of 2 KiB and a byte", "GET /" + std::string(2048, 'x'),
       "uri_too_long: the target is longer than 2 KiB"},
      {"two spaces before the version", "GET /  ", kVersionRefusal},
      {"another protocol", "GET / HTTQ", kVersionRefusal},
      {"a lower-case version", "GET / h", kVersionRefusal},
      {"a version without minor", "GET / HTTP/1\r", kVersionRefusal},
      {"a version of letters", "GET / HTTP/x", kVersionRefusal},
      {"HTTP/2.0", "GET / HTTP/2.0",
       "version_not_supported: only HTTP/1.1 and HTTP/1.0 are served"},
      {"HTTP/1.2", "GET / HTTP/1.2",
       "version_not_supported: only HTTP/1.1 and HTTP/1.0 are served"},
      {"HTTP/0.9 in words", "GET / HTTP/0.9",
       "version_not_supported: only HTTP/1.1 and HTTP/1.0 are served"},
      {"HTTP/1.10", "GET / HTTP/1.10", kByteRefusal},
      {"a space after the version", "GET / HTTP/1.1 ", kByteRefusal},
      {"LF after the version", "GET / HTTP/1.1\n", "bad_request: a line ends in LF without CR"},
      {"CR without LF after the version", "GET / HTTP/1.1\rH", "bad_request: a CR without LF"},
      {"an unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
       "not_implemented: the method is not known"},
      {"a lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n",
       "not_implemented: the method is not known"},
      {"CONNECT", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
       "not_implemented: the method is not known"},
      {"white space before the first header", "GET / HTTP/1.1\r\n ",
       "bad_request: a header line begins with white space"},
      {"a folded line", kGet + "X: a\r\n\t", "bad_request: a header line begins with white space"},
      {"a space before the colon", kGet + "X ", kNameRefusal},
      {"a header without colon", kGet + "X\r", kNameRefusal},
      {"a header without name", kGet + ":", "bad_request: a header has no name"},
      {"NUL in a name", kGet + "X\0"s, kNameRefusal},
      {"a bracket in a name", kGet + "X(", kNameRefusal},
      {"a high byte in a name", kGet + "X\xe9", kNameRefusal},
      {"LF after a value", kGet + "X: y\n", "bad_request: a line ends in LF without CR"},
      {"CR within a value", kGet + "X: y\rz", "bad_request: a CR without LF"},
      {"CR CR LF", kGet + "X: y\r\r", "bad_request: a CR without LF"},
      {"NUL in a value", kGet + "X: y\0"s, kByteRefusal},
      {"a control character in a long value", kGet + "X: " + std::string(40, 'y') + "\x1b",
       kByteRefusal},
      {"DEL in a value", kGet + "X: " + std::string(20, 'y') + "\x7f", kByteRefusal},
      {"LF instead of the empty line", kGet + "\n", kNameRefusal},
      {"CR instead of the empty line", kGet + "\rG", "bad_request: a CR without LF"},
      {"65 header lines", "GET / HTTP/1.1\r\n" + repeat(64, "X: y\r\n") + "H",
       "headers_too_large: there are more than 64 header lines"},
      {"a head of 8 KiB that goes on", head_of(8196).substr(0, 8192),
       "headers_too_large: the head is larger than 8 KiB"},
      {"a head of 8 KiB and a byte", head_of(8193).substr(0, 8192),
       "headers_too_large: the head is larger than 8 KiB"},
      {"a method of 33 bytes", std::string(33, 'M'), "not_implemented: the method is not known"},
      {"a method of 32 bytes", std::string(32, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n",
       "not_implemented: the method is not known"},
  };
}

std::vector<ParserCase> refused_headers() {
  return {
      {"no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", "bad_request: the Host header is missing"},
      {"two Hosts", kGet + "host:", kTwiceRefusal},
      {"an empty Host twice", "GET / HTTP/1.1\r\nHost:\r\nHost:", kTwiceRefusal},
      {"a Host with half an encoded byte", refused_host("a%4"), kHostRefusal},
      {"a Host with an encoded byte of letters", refused_host("a%zz"), kHostRefusal},
      {"a Host of no IPv6 address", refused_host("[::1::]"), kHostRefusal},
      {"a Host of a port", refused_host(":80"), kHostRefusal},
      {"a Host with two ports", refused_host("a:1:2"), kHostRefusal},
      {"a Host with a port of letters", refused_host("a:b"), kHostRefusal},
      {"a Host with a long port", refused_host("a:123456"), kHostRefusal},
      {"a Host with half a bracket", refused_host("[::1"), kHostRefusal},
      {"a Host with the other half", refused_host("a]"), kHostRefusal},
      {"a Host with empty brackets", refused_host("[]"), kHostRefusal},
      {"a Host with a name in brackets", refused_host("[xyz]"), kHostRefusal},
      {"a Host with text behind brackets", refused_host("[::1]a"), kHostRefusal},
      {"a list of Hosts", "GET / HTTP/1.1\r\nHost: a,", kByteRefusal},
      {"two words in Host", "GET / HTTP/1.1\r\nHost: a b", kByteRefusal},
      {"a user in Host", "GET / HTTP/1.1\r\nHost: u@", kByteRefusal},
      {"a path in Host", "GET / HTTP/1.1\r\nHost: a/", kByteRefusal},
      {"a high byte in Host", "GET / HTTP/1.1\r\nHost: \xc3", kByteRefusal},
      {"an invalid Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: :\r\n", kHostRefusal},
      {"two lengths", kPost + "Content-Length: 1\r\nContent-Length:", kTwiceRefusal},
      {"a list of lengths", kPost + "Content-Length: 1,", kByteRefusal},
      {"a length with sign", kPost + "Content-Length: +", kByteRefusal},
      {"a negative length", kPost + "Content-Length: -", kByteRefusal},
      {"a hexadecimal length", kPost + "Content-Length: 0x", kByteRefusal},
      {"a length with underscore", kPost + "Content-Length: 1_", kByteRefusal},
      {"a length in two words", kPost + "Content-Length: 1 1", kByteRefusal},
      {"a length with a fraction", kPost + "Content-Length: 1.", kByteRefusal},
      {"a tab behind a length", kPost + "Content-Length: 1\t", kByteRefusal},
      {"an empty length", kPost + "Content-Length: \r\n", kLengthRefusal},
      {"a length with leading zeros", kPost + "Content-Length: 01\r\n",
       "bad_request: Content-Length has leading zeros"},
      {"a length of 20 digits", kPost + "Content-Length: 12345678901234567890\r\n", kLengthRefusal},
      {"a length that wraps 64 bits", kPost + "Content-Length: 18446744073709551617\r\n",
       kLengthRefusal},
      {"a length above 2^53", kPost + "Content-Length: 9007199254740993\r\n", kLengthRefusal},
      {"a length above 4 KiB", kPost + "Content-Length: 4097\r\n\r\n", kTooLarge},
      {"a length of 2^53", kPost + "Content-Length: 9007199254740992\r\n\r\n", kTooLarge},
      {"a large body that expects", kPost + "Content-Length: 4097\r\nExpect: 100-continue\r\n\r\n",
       kTooLarge},
      {"a length and a coding", kPost + "Content-Length: 1\r\nTransfer-Encoding:", kBothRefusal},
      {"a coding and a length",
       kPost + "Transfer-Encoding: chunked\r\ncontent-length:", kBothRefusal},
      {"chunked twice in two lines",
       kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kNotLast},
      {"an empty coding behind chunked",
       kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", kNotLast},
      {"a comma behind chunked", kPost + "Transfer-Encoding: chunked,\r\n", kNotLast},
      {"chunked twice", kPost + "Transfer-Encoding: chunked, chunked\r\n", kNotLast},
      {"chunked then gzip", kPost + "Transfer-Encoding: chunked, gzip\r\n", kNotLast},
      {"chunked then gzip in two lines",
       kPost + "Transfer-Encoding: Chunked\r\nTransfer-Encoding: gzip\r\n", kNotLast},
      {"gzip alone", kPost + "Transfer-Encoding: gzip\r\n\r\n", kNotChunked},
      {"gzip then chunked", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n", kUnknownCoding},
      {"gzip then chunked in two lines",
       kPost + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", kUnknownCoding},
      {"a coding with a quoted parameter then chunked",
       kPost + "Transfer-Encoding: x;a=\"b, chunked\", chunked\r\n\r\n", kUnknownCoding},
      {"chunked in a quoted parameter", kPost + "Transfer-Encoding: x;a=\", chunked\"\r\n\r\n",
       kNotChunked},
      {"identity", kPost + "Transfer-Encoding: identity\r\n\r\n", kNotChunked},
      {"a coding with parameter", kPost + "Transfer-Encoding: chunked;a=b\r\n",
       "bad_request: chunked has no parameters"},
      {"a coding in quotes", kPost + "Transfer-Encoding: \"chunked\"\r\n", kMalformedCoding},
      {"a coding in two words", kPost + "Transfer-Encoding: x chunked\r\n", kMalformedCoding},
      {"a framing fault of an unknown method",
       "BREW / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", kNotChunked},
      {"a vertical tab before the coding", kPost + "Transfer-Encoding: \v", kByteRefusal},
      {"a tab behind the coding", kPost + "Transfer-Encoding: chunked\t\r\n",
       "bad_request: Transfer-Encoding holds a tab"},
      {"an empty coding", kPost + "Transfer-Encoding:\r\n\r\n", kNotChunked},
      {"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
       "bad_request: HTTP/1.0 has no Transfer-Encoding"},
      {"another expectation", kPost + "Expect: coffee\r\n\r\n",
       "expectation_failed: the only expectation is 100-continue"},
      {"another expectation in a second line",
       kPost + "Expect: 100-continue\r\nExpect: coffee\r\n\r\n",
       "expectation_failed: the only expectation is 100-continue"},
      {"two origins", kGet + "Origin: a\r\nOrigin:", kTwiceRefusal},
      {"two users", kGet + "X-User-Id: a\r\nX-USER-ID:", kTwiceRefusal},
      {"two authorizations", kGet + "Authorization: a\r\nAuthorization:", kTwiceRefusal},
      {"two keys", kGet + "Idempotency-Key: a\r\nIdempotency-Key:", kTwiceRefusal},
      {"two proofs", kGet + "Stampede-Proof: a\r\nStampede-Proof:", kTwiceRefusal},
      {"two signatures", kGet + "Stampede-Signature: a\r\nStampede-Signature:", kTwiceRefusal},
      {"two content types", kGet + "Content-Type: a\r\nContent-Type:", kTwiceRefusal},
  };
}

std::vector<ParserCase> refused_chunks() {
  return {
      {"a chunk without size", kChunked + "\r", "bad_request: a chunk has no size"},
      {"a chunk size with sign", kChunked + "-", "bad_request: a chunk has no size"},
      {"a chunk size with a space before", kChunked + " ", "bad_request: a chunk has no size"},
      {"a chunk size with 0x", kChunked + "0x", kByteRefusal},
      {"a chunk size with a space behind", kChunked + "1 ", kByteRefusal},
      {"a chunk size of 9 digits", kChunked + "000000001",
       "bad_request: a chunk size has more than 8 digits"},
      {"LF after a chunk size", kChunked + "1\n", "bad_request: a line ends in LF without CR"},
      {"CR after a chunk size", kChunked + "1\rx", "bad_request: a CR without LF"},
      {"a chunk that is longer than it says", kChunked + "1\r\nxy", kByteRefusal},
      {"LF after a chunk", kChunked + "1\r\nx\n", "bad_request: a line ends in LF without CR"},
      {"CR after a chunk", kChunked + "1\r\nx\r0", "bad_request: a CR without LF"},
      {"a chunk above 4 KiB", kChunked + "1001\r\n", kTooLarge},
      {"a chunk of 4 GiB", kChunked + "FFFFFFFF\r\n", kTooLarge},
      {"chunks above 4 KiB", kChunked + "1000\r\n" + std::string(4096, 'b') + "\r\n1\r\n",
       kTooLarge},
      {"chunk sizes that fill the space",
       (kChunked + repeat(4096, "00000001\r\nx\r\n")).substr(0, bounds::request_bytes_max),
       "body_too_large: the chunks take too much space"},
      {"a chunk extension without name", kChunked + "1;\r", kExtensionRefusal},
      {"a space in a chunk extension", kChunked + "1;a ", kByteRefusal},
      {"a chunk extension without value", kChunked + "1;a=\r", kExtensionRefusal},
      {"LF in a quoted chunk extension", kChunked + "1;a=\"\n", kExtensionRefusal},
      {"a backslash in a chunk extension", kChunked + "1;a=\"\\", kExtensionRefusal},
      {"a second chunk extension", kChunked + "1;a;", kByteRefusal},
      {"a second chunk extension behind a value", kChunked + "1;a=b;", kByteRefusal},
      {"text behind a quoted chunk extension", kChunked + "1;a=\"b\"c", kByteRefusal},
      {"LF after a chunk extension", kChunked + "1;a\n",
       "bad_request: a line ends in LF without CR"},
      {"a chunk extension of 65 bytes", kChunked + "1;" + std::string(64, 'e'),
       "bad_request: chunk extensions are longer than 64 bytes"},
      {"chunk extensions of 65 bytes together",
       kChunked + "1;" + std::string(31, 'e') + "\r\nx\r\n1;" + std::string(32, 'e'),
       "bad_request: chunk extensions are longer than 64 bytes"},
      {"a length in a trailer", kChunked + "0\r\nT: t\r\nContent-Length:",
       "bad_request: a trailer may not frame the message"},
      {"a coding in a trailer",
       kChunked + "0\r\nTransfer-Encoding:", "bad_request: a trailer may not frame the message"},
      {"a trailer that is folded", kChunked + "0\r\nT: t\r\n ", kNameRefusal},
      {"a trailer with a space before the colon", kChunked + "0\r\nT ", kNameRefusal},
      {"NUL in a trailer", kChunked + "0\r\nT: \0"s, kByteRefusal},
      {"LF in a trailer", kChunked + "0\r\nT: t\n", "bad_request: a line ends in LF without CR"},
      {"LF instead of the last empty line", kChunked + "0\r\n\n", kNameRefusal},
      {"CR instead of the last empty line", kChunked + "0\r\n\rG", "bad_request: a CR without LF"},
      {"a trailer of 1 KiB that goes on", kChunked + "0\r\nT: " + std::string(1021, 't'),
       "headers_too_large: the trailer is larger than 1 KiB"},
  };
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      return "OTHER";
  }
  return "?";
}

}  // namespace

const std::vector<ParserCase>& parser_cases() {
  static const std::vector<ParserCase> cases = [] {
    std::vector<ParserCase> all = accepted_cases();
    for (const auto& more : {refused_lines(), refused_headers(), refused_chunks()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }();
  return cases;
}

std::string describe(const Parsed& parsed) {
  if (parsed.status == ParseStatus::bad)
    return std::string(info_of(parsed.refusal).code) + ": " + parsed.reason;
  if (parsed.status == ParseStatus::need_more) {
    return "more "s + (parsed.is_head_complete ? "body" : "head") +
           (parsed.wants_continue ? " continue" : "");
  }
  const Request& request = parsed.request;
  std::string text = std::string(name_of(request.method)) + " ";
  text.append(request.path).append(request.query.empty() ? "" : "?").append(request.query);
  const bool may_lack_body = request.method != Method::post && request.method != Method::put;
  text += request.has_body || may_lack_body ? " body=[" + std::string(request.body) + "]"
                                            : " body=none";
  text += request.keep_alive ? " keep-alive" : " close";
  if (request.is_http_1_0) text += " 1.0";
  const auto add = [&text](const char* name, std::string_view value) {
    if (value.data() != nullptr) text.append(name).append("=[").append(value).append("]");
  };
  if (request.host != "a") add(" host", request.host);
  add(" origin", request.origin);
  add(" user", request.user_id);
  add(" authorization", request.authorization);
  add(" key", request.idempotency_key);
  add(" signature", request.signature);
  add(" proof", request.proof);
  add(" type", request.content_type);
  if (request.has_if_none_match) text += " match";
  if (request.has_content_coding) text += " coded";
  return text;
}

}  // namespace stampede::http
