#include "shard/turns_text.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/diag.h"
#include "base/time_text.h"
#include "base/words.h"

namespace stampede::shard {
namespace {

void add_number(std::string_view name, uint64_t value, std::string& json) {
  json.append("\"").append(name).append("\":").append(std::to_string(value));
}

// By the clocks as they stand now; a wall clock that was set since moves it.
TimeText time_of(const Turn& turn, Moment now) {
  const int64_t ago_ns = now.boot_ns - static_cast<int64_t>(turn.ended_boot_ns);
  return TimeText((now.wall_ns - ago_ns) / kMillisecond);
}

void add_turn(const Turn& turn, Moment now, std::string& json) {
  json += '{';
  add_number("turn", turn.number, json);
  json.append(",\"ended_at\":\"").append(time_of(turn, now).view()).append("\",");
  add_number("requests", turn.requests, json);
  json += ',';
  add_number("records", turn.records, json);
  json += ',';
  add_number("work_ns", turn.work_ns(), json);
  json += ",\"phases_ns\":{";
  for (unsigned phase = 0; phase < kTurnPhases; ++phase) {
    if (phase > 0) json += ',';
    add_number(name_of(static_cast<TurnPhase>(phase)), turn.phase_ns[phase], json);
  }
  json += "}}";
}

void add_turns(std::string_view name, const std::vector<Turn>& turns, Moment now,
               std::string& json) {
  json.append(",\"").append(name).append("\":[");
  for (const Turn& turn : turns) {
    if (json.back() == '}') json += ',';
    add_turn(turn, now, json);
  }
  json += ']';
}

std::array<TurnPhase, kTurnPhases> longest_first(const Turn& turn) {
  std::array<TurnPhase, kTurnPhases> phases;
  for (unsigned phase = 0; phase < kTurnPhases; ++phase)
    phases[phase] = static_cast<TurnPhase>(phase);
  std::ranges::stable_sort(phases, std::greater{}, [&](TurnPhase phase) { return turn.of(phase); });
  return phases;
}

}  // namespace

std::string turns_json(uint32_t shard, const Turns& turns, int64_t slow_turn_ns, Moment now) {
  std::string json = "{";
  add_number("shard", shard, json);
  json += ',';
  add_number("slow_turn_us", static_cast<uint64_t>(slow_turn_ns / 1000), json);
  add_turns("turns", turns.last.read(), now, json);
  add_turns("slow", turns.slow.read(), now, json);
  return json += '}';
}

std::string phases_text(const Turn& turn) {
  std::string text;
  for (const TurnPhase phase : longest_first(turn)) {
    if (phase == TurnPhase::poll || turn.of(phase) * 100 < turn.work_ns()) continue;
    if (!text.empty()) text += ", ";
    text.append(name_of(phase)).append(" ").append(duration_text(turn.of(phase)));
  }
  return text;
}

void tell_slow_turns(uint32_t shard, const Turns& turns, uint64_t& told, Moment now) {
  const uint64_t count = turns.slow.count();
  const std::vector<Turn> slow = turns.slow.read(told);
  const uint64_t others = count - std::exchange(told, count) - 1;
  if (slow.empty()) return;
  const Turn& worst = *std::ranges::max_element(slow, {}, &Turn::work_ns);
  std::string words = "shard " + std::to_string(shard) + " worked " +
                      duration_text(worst.work_ns()) + " in one turn, until ";
  words.append(time_of(worst, now).view()).append(", on ");
  words += counted(worst.requests, "request") + " and " + counted(worst.records, "record") + ": " +
           phases_text(worst);
  if (others > 0) words += "; " + counted(others, "more slow turn") + " beside it";
  diag::line(diag::Level::notice,
             {{"shard", shard}, {"turn_us", worst.work_ns() / 1000}, {"others", others}}, "%s",
             words.c_str());
}

}  // namespace stampede::shard
