#include "shard/text_answers.h"

#include "base/time_text.h"
#include "http/fields.h"

namespace stampede::shard {

TextAnswer cacheable(std::string_view tag, int64_t max_age_s, const http::Request& request) {
  TextAnswer answer;
  answer.headers.append("ETag: ")
      .append(tag)
      .append("\r\nCache-Control: public, max-age=")
      .append(std::to_string(max_age_s))
      .append("\r\n");
  if (http::is_unchanged(request, tag)) answer.status = http::StatusCode::not_modified;
  return answer;
}

std::string time_json(int64_t wall_ms) {
  char text[kTimeTextBytes];
  render_time(wall_ms, text);
  return "\"" + std::string(text, sizeof text) + "\"";
}

}  // namespace stampede::shard
