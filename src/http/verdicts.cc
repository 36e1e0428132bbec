#include "http/verdicts.h"

#include <array>

#include "base/check.h"

namespace stampede::http {
namespace {

constexpr std::string_view k200 = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view k201 = "HTTP/1.1 201 Created\r\n";
constexpr std::string_view k400 = "HTTP/1.1 400 Bad Request\r\n";
constexpr std::string_view k401 = "HTTP/1.1 401 Unauthorized\r\n";
constexpr std::string_view k403 = "HTTP/1.1 403 Forbidden\r\n";
constexpr std::string_view k404 = "HTTP/1.1 404 Not Found\r\n";
constexpr std::string_view k405 = "HTTP/1.1 405 Method Not Allowed\r\n";
constexpr std::string_view k408 = "HTTP/1.1 408 Request Timeout\r\n";
constexpr std::string_view k409 = "HTTP/1.1 409 Conflict\r\n";
constexpr std::string_view k410 = "HTTP/1.1 410 Gone\r\n";
constexpr std::string_view k411 = "HTTP/1.1 411 Length Required\r\n";
constexpr std::string_view k413 = "HTTP/1.1 413 Content Too Large\r\n";
constexpr std::string_view k414 = "HTTP/1.1 414 URI Too Long\r\n";
constexpr std::string_view k415 = "HTTP/1.1 415 Unsupported Media Type\r\n";
constexpr std::string_view k417 = "HTTP/1.1 417 Expectation Failed\r\n";
constexpr std::string_view k421 = "HTTP/1.1 421 Misdirected Request\r\n";
constexpr std::string_view k422 = "HTTP/1.1 422 Unprocessable Content\r\n";
constexpr std::string_view k429 = "HTTP/1.1 429 Too Many Requests\r\n";
constexpr std::string_view k431 = "HTTP/1.1 431 Request Header Fields Too Large\r\n";
constexpr std::string_view k501 = "HTTP/1.1 501 Not Implemented\r\n";
constexpr std::string_view k503 = "HTTP/1.1 503 Service Unavailable\r\n";
constexpr std::string_view k505 = "HTTP/1.1 505 HTTP Version Not Supported\r\n";

// The waits: a line for units moves with each exchange with the ledger; the others are the least
// that a restart, a failover or an operator's pause takes.
// clang-format off
constexpr std::array<VerdictInfo, kVerdictCount> kVerdicts = {{
    {Verdict::created,                 k201, "created",                 "",                                                  false, 0},
    {Verdict::ok,                      k200, "ok",                      "",                                                  false, 0},
    {Verdict::replayed,                k200, "replayed",                "",                                                  false, 0},
    {Verdict::bad_request,             k400, "bad_request",             "The request is malformed.",                         false, 0},
    {Verdict::unauthenticated,         k401, "unauthenticated",         "It is not known who is asking.",                    false, 0},
    {Verdict::bad_link,                k403, "bad_link",                "The link of this sale is missing or not valid.",    false, 0},
    {Verdict::bad_proof,               k403, "bad_proof",               "The proof for the link is missing or not valid.",   false, 0},
    {Verdict::not_enrolled,            k403, "not_enrolled",            "This item is sold to enrolled users only.",         false, 0},
    {Verdict::not_started,             k403, "not_started",             "The sale has not started yet.",                     true,  1000},
    {Verdict::blocked,                 k403, "blocked",                 "This user may not buy.",                            false, 0},
    {Verdict::forbidden,               k403, "forbidden",               "This may not be asked from there.",                 false, 0},
    {Verdict::unknown_item,            k404, "unknown_item",            "There is no such item.",                            false, 0},
    {Verdict::unknown_order,           k404, "unknown_order",           "There is no such order.",                           false, 0},
    {Verdict::not_found,               k404, "not_found",               "There is nothing at this path.",                    false, 0},
    {Verdict::method_not_allowed,      k405, "method_not_allowed",      "This path does not take this method.",              false, 0},
    {Verdict::request_timeout,         k408, "request_timeout",         "The request took too long to arrive.",              true,  0},
    {Verdict::sold_out,                k409, "sold_out",                "Sold out.",                                         false, 0},
    {Verdict::not_enough,              k409, "not_enough",              "Fewer units are left than were asked for.",         false, 0},
    {Verdict::limit_reached,           k409, "limit_reached",           "This user already holds as many as one may buy.",   false, 0},
    {Verdict::already_paid,            k409, "already_paid",            "The order is paid.",                                false, 0},
    {Verdict::not_payable,             k409, "not_payable",             "Amount or currency is not the order's.",            false, 0},
    {Verdict::sale_ended,              k410, "sale_ended",              "The sale has ended.",                               false, 0},
    {Verdict::length_required,         k411, "length_required",         "A body is needed, with its length.",                false, 0},
    {Verdict::body_too_large,          k413, "body_too_large",          "The body is too large.",                            false, 0},
    {Verdict::uri_too_long,            k414, "uri_too_long",            "The target is too long.",                           false, 0},
    {Verdict::unsupported_media_type,  k415, "unsupported_media_type",  "A body is application/json.",                       false, 0},
    {Verdict::expectation_failed,      k417, "expectation_failed",      "The only expectation is 100-continue.",             false, 0},
    {Verdict::misdirected,             k421, "misdirected",             "The order belongs to another node.",                false, 0},
    {Verdict::key_reused,              k422, "key_reused",              "The key was used for another request.",             false, 0},
    {Verdict::rate_limited,            k429, "rate_limited",            "Too many requests.",                                true,  1000},
    {Verdict::headers_too_large,       k431, "headers_too_large",       "The head is too large.",                            false, 0},
    {Verdict::not_implemented,         k501, "not_implemented",         "This is not implemented.",                          false, 0},
    {Verdict::try_again,               k503, "try_again",               "Not decided yet, please try again.",                true,  100},
    {Verdict::overloaded,              k503, "overloaded",              "Too many requests are waiting, please try again.",  true,  1000},
    {Verdict::ledger_unavailable,      k503, "ledger_unavailable",      "The stock cannot be reached.",                      true,  1000},
    {Verdict::sale_paused,             k503, "sale_paused",             "The sale is paused.",                               true,  5000},
    {Verdict::shutting_down,           k503, "shutting_down",           "The server is stopping.",                           true,  2000},
    {Verdict::version_not_supported,   k505, "version_not_supported",   "Only HTTP/1.1 and HTTP/1.0.",                       false, 0},
}};
// clang-format on

// Of refusals order.h promises that they rise with their status. In front of them stand 201 and then 200.
constexpr bool table_is_sound() {
  for (size_t i = 0; i < kVerdicts.size(); ++i) {
    const VerdictInfo& info = kVerdicts[i];
    if (static_cast<size_t>(info.verdict) != i || info.code.empty()) return false;
    if (i > 1 && info.status() < kVerdicts[i - 1].status()) return false;
    if (info.retry_after_ms > 0 && !info.is_retryable) return false;
  }
  return true;
}
static_assert(table_is_sound(), "one line for each verdict, in their order");

}  // namespace

const VerdictInfo& info_of(Verdict verdict) {
  CHECK(static_cast<unsigned>(verdict) < kVerdictCount);
  return kVerdicts[static_cast<unsigned>(verdict)];
}

}  // namespace stampede::http
