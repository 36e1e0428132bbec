#include "json.h"

#include <doctest/doctest.h>
#include <simdjson.h>

namespace stampede::e2e {

using simdjson::dom::element;
using simdjson::dom::element_type;

struct JsonBuilder {
  static Json build(element from) {
    Json json;
    switch (from.type()) {
      case element_type::ARRAY:
        json.kind_ = Json::Kind::array;
        for (element child : simdjson::dom::array(from)) json.elements_.push_back(build(child));
        break;
      case element_type::OBJECT:
        json.kind_ = Json::Kind::object;
        for (auto member : simdjson::dom::object(from))
          json.members_.emplace_back(std::string(member.key), build(member.value));
        break;
      case element_type::INT64:
      case element_type::UINT64:
        json.kind_ = Json::Kind::number;
        json.is_integer_ = true;
        json.number_ = from.is_int64() ? int64_t(from) : static_cast<int64_t>(uint64_t(from));
        break;
      case element_type::DOUBLE:
        json.kind_ = Json::Kind::number;
        break;
      case element_type::STRING:
        json.kind_ = Json::Kind::text;
        json.text_ = std::string_view(from);
        break;
      case element_type::BOOL:
        json.kind_ = Json::Kind::boolean;
        json.truth_ = bool(from);
        break;
      case element_type::NULL_VALUE:
        break;
    }
    return json;
  }
};

Json Json::parse(std::string_view text) {
  simdjson::dom::parser parser;
  element root;
  if (auto error = parser.parse(text.data(), text.size()).get(root)) {
    FAIL_CHECK("not JSON (" << simdjson::error_message(error) << "): " << std::string(text));
    return {};
  }
  return JsonBuilder::build(root);
}

bool Json::has(std::string_view key) const {
  for (const auto& [name, value] : members_)
    if (name == key) return true;
  return false;
}

const Json& Json::operator[](std::string_view key) const {
  static const Json null;
  for (const auto& [name, value] : members_)
    if (name == key) return value;
  FAIL_CHECK("no member '" << std::string(key) << "'");
  return null;
}

const Json& Json::at(size_t index) const {
  static const Json null;
  if (index < elements_.size()) return elements_[index];
  FAIL_CHECK("no element " << index << " of " << elements_.size());
  return null;
}

int64_t Json::number() const {
  if (kind_ == Kind::number && is_integer_) return number_;
  FAIL_CHECK("not an integer");
  return -1;
}

bool Json::truth() const {
  if (kind_ == Kind::boolean) return truth_;
  FAIL_CHECK("not a boolean");
  return false;
}

std::string Json::text() const {
  if (kind_ == Kind::text) return text_;
  FAIL_CHECK("not a string");
  return {};
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace stampede::e2e
