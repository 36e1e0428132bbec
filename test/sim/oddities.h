// What no honest client sends, and what few do, each with the status that it must get: malformed HTTP, malformed JSON, names of
// nothing, methods that a path does not have. None of it changes anything.
//
// In a text stand
//   |     the end of a line
//   {u}   the lines that name a user
//   {m}   those of one who is a member
//   {p}   a proof that the user may have the link of what needs one
//   {t}   the line of an operator, who may have a token
//   {a}   three thousand letters
#pragma once

#include <span>
#include <string_view>

namespace stampede::sim {

struct Oddity {
  std::string_view text;
  int status = 0;  // 0: any
};

// At the buyers' listener, and at the operators'.
[[nodiscard]] std::span<const Oddity> public_oddities();
[[nodiscard]] std::span<const Oddity> operator_oddities();
// At the buyers', about items that are not for everybody, or not now.
[[nodiscard]] std::span<const Oddity> extra_oddities();

// Bodies that are no order, no payment, no item as an operator puts it, no restock, no lever: each is answered 400.
[[nodiscard]] std::span<const std::string_view> no_orders();
[[nodiscard]] std::span<const std::string_view> no_payments();
[[nodiscard]] std::span<const std::string_view> no_items();
[[nodiscard]] std::span<const std::string_view> no_restocks();
[[nodiscard]] std::span<const std::string_view> no_levers();

}  // namespace stampede::sim
