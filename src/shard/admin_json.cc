#include "shard/admin_json.h"

#include "stock/catalog_json.h"
#include "stock/sale_state.h"

namespace stampede::shard {
namespace {

// A text of at most `bytes_max` bytes that ends between two characters.
std::string_view shortened(std::string_view utf8, size_t bytes_max) {
  if (utf8.size() <= bytes_max) return utf8;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xc0) == 0x80) --end;
  return utf8.substr(0, end);
}

}  // namespace

void append_list(const std::vector<std::string>& texts, std::string& out) {
  out += '[';
  for (const std::string& text : texts) {
    if (out.back() != '[') out += ',';
    append_quoted(text, out);
  }
  out += ']';
}

TextAnswer refused(Verdict verdict, std::string_view message) {
  return {.body = std::string(shortened(message, bounds::admin_message_bytes_max)),
          .refusal = verdict};
}

TextAnswer conflict(std::string_view code, std::string_view message, std::string_view figure,
                    uint64_t value) {
  TextAnswer answer{.status = http::StatusCode::conflict};
  answer.body.append("{\"code\":\"").append(code).append("\",\"message\":");
  append_quoted(message, answer.body);
  answer.body.append(",\"retryable\":false,\"")
      .append(figure)
      .append("\":")
      .append(std::to_string(value)) += '}';
  return answer;
}

TextAnswer not_reloaded(std::string_view problem) {
  TextAnswer answer{.status = http::StatusCode::conflict};
  answer.body = "{\"code\":\"not_reloaded\",\"message\":";
  append_quoted(std::string(problem) + "; everything stays as it was", answer.body);
  answer.body += ",\"retryable\":false}";
  return answer;
}

TextAnswer readiness_answer(const std::vector<std::string>& reasons,
                            const std::vector<std::string>& warnings) {
  TextAnswer answer{.headers = "Cache-Control: no-store\r\n"};
  if (!reasons.empty()) answer.status = http::StatusCode::unavailable;
  answer.body = reasons.empty() ? "{\"ready\":true,\"reasons\":" : "{\"ready\":false,\"reasons\":";
  append_list(reasons, answer.body);
  answer.body += ",\"warnings\":";
  append_list(warnings, answer.body);
  answer.body += '}';
  return answer;
}

std::string item_json(const stock::ItemTerms& terms, Units total, int64_t wall_ms) {
  std::string json = stock::terms_json(terms);
  json.pop_back();  // its brace: more follows
  json.append(",\"state\":\"").append(stock::name_of(stock::state_of(terms, wall_ms)));
  return json.append("\",\"total\":").append(std::to_string(total)) += '}';
}

std::string restock_json(std::string_view item, std::string_view op_id, bool is_applied,
                         Units total) {
  std::string json = "{\"item\":";
  append_quoted(item, json);
  json += ",\"op_id\":";
  append_quoted(op_id, json);
  json += is_applied ? ",\"applied\":true" : ",\"applied\":false";
  return json.append(",\"total\":").append(std::to_string(total)) += '}';
}

void append_audit_line(const AuditLine& line, std::string_view code, bool is_shared,
                       std::string& out) {
  const auto add = [&](std::string_view name, Units value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  out += "{\"item\":";
  append_quoted(code, out);
  add("total", line.total);
  add("free", line.free);
  add("leased", line.leased);
  add("reserved", line.reserved);
  add("paid", line.paid);
  if (is_shared) add("elsewhere", line.elsewhere);
  out += line.is_ok ? ",\"ok\":true}" : ",\"ok\":false}";
}

}  // namespace stampede::shard
