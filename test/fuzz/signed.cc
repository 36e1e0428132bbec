// What is signed: tickets and payments. No mutation finds a valid signature, so half of the inputs are signed here.
//
// 1. What is accepted is exactly what would be issued: there is one spelling of a ticket, so it can be blocked by its text.
// 2. A signature holds for its bytes alone: one bit of the text, the body or the mac changed, and it is refused.
#include <array>
#include <string>
#include <vector>

#include "base/base64url.h"
#include "door/signature.h"
#include "door/ticket.h"
#include "promise.h"

namespace stampede::door {
namespace {

using fuzz::require;

constexpr int64_t kNow = 1'795'000'000;

const std::vector<Key>& keys() {
  static const std::vector<Key> keys = {Key("k1", Secret{1}), Key("k-2", Secret{2})};
  return keys;
}

std::string mac_text(const Mac& mac) {
  std::string text(base64url_chars(mac.size()), '\0');
  render_base64url(mac, text);
  return text;
}

void flip_each_bit(const std::string& text, auto is_accepted) {
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string other = text;
    other[bit / 8] ^= static_cast<char>(1 << bit % 8);
    require(!is_accepted(other), "one bit changed, and still accepted");
  }
}

// The parts of a ticket in front of its mac, whatever they are, signed by the key that they name or by the first.
std::string sign_ticket(const std::string& front) {
  const size_t dot = front.rfind('.');
  const Key* key = find_key(keys(), dot == front.npos ? front : front.substr(dot + 1));
  if (key == nullptr) key = keys().data();
  const std::string_view parts[] = {front};
  return front + "." + mac_text(key->sign(parts));
}

void try_ticket(const std::string& ticket, bool flips) {
  const std::optional<UserText> user = verify_ticket(ticket, keys(), kNow);
  if (!user) return;
  require(is_user_id(*user), "a user id within its bounds");
  // v1.USER.EXPIRES.KEY.MAC: what is accepted must be what mint_ticket() writes.
  const size_t mac_dot = ticket.rfind('.'), key_dot = ticket.rfind('.', mac_dot - 1),
               time_dot = ticket.rfind('.', key_dot - 1);
  const Key* const key = find_key(keys(), ticket.substr(key_dot + 1, mac_dot - key_dot - 1));
  require(key != nullptr, "a key of the file");
  const int64_t expires = std::stoll(ticket.substr(time_dot + 1, key_dot - time_dot - 1));
  require(expires > kNow, "not expired");
  std::array<char, kTicketBytesMax> out;
  require(mint_ticket(*user, expires, *key, out) == ticket, "one spelling of a ticket");
  if (flips)
    flip_each_bit(ticket, [](const std::string& other) {
      return verify_ticket(other, keys(), kNow).has_value();
    });
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// The rest is `HEADER\nBODY`.
void try_signature(const std::string& rest, bool flips) {
  const size_t line = rest.find('\n');
  const std::string header = rest.substr(0, line);
  const std::string body = line == rest.npos ? "" : rest.substr(line + 1);
  (void)verify_signature(header, body, keys(), kNow);
  const std::string made = make_signature(body, kNow, keys()[1]);
  require(verify_signature(made, body, keys(), kNow), "what was signed is accepted");
  require(!verify_signature(made, body + "x", keys(), kNow), "another body is refused");
  require(!verify_signature(made, body, keys(), kNow + bounds::signature_skew_s_max + 1),
          "an old one is refused");
  if (flips)
    flip_each_bit(made, [&](const std::string& other) {
      // The case of a hexadecimal digit is one bit and says nothing.
      return lower(other) != made && verify_signature(other, body, keys(), kNow);
    });
}

}  // namespace
}  // namespace stampede::door

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace stampede;
  const fuzz::Input input(data, size);
  const bool flips = input.choice % 64 == 0;
  switch (input.choice % 3) {
    case 0:
      door::try_ticket(input.rest, flips);
      break;
    case 1:
      door::try_ticket(door::sign_ticket(input.rest), flips);
      break;
    default:
      door::try_signature(input.rest, flips);
  }
  return 0;
}
