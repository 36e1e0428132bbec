#include "rush.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <chrono>
#include <thread>

namespace stampede::e2e {
namespace {

void fill(Outcome& outcome, const Response& response) {
  outcome.status = response.status;
  outcome.code = response.code();
  if (response.status == 0) return;
  Json answer = response.json();
  if (answer.has("order_id")) outcome.order_id = answer["order_id"].text();
  outcome.is_replayed = answer.has("replayed");
}

// Sends its part of the outcomes window by window; stops at the first broken connection.
void run_connection(Address address, std::vector<Outcome*> part, const RushOptions& options,
                    std::atomic<size_t>& answered) {
  Http http(address);
  if (!http.connect()) return;
  for (size_t at = 0; at < part.size(); at += options.pipeline) {
    size_t end = std::min(part.size(), at + options.pipeline);
    std::string window;
    for (size_t i = at; i < end; ++i) window += order_request(part[i]->ask);
    if (!http.send(window)) return;
    for (size_t i = at; i < end; ++i) {
      fill(*part[i], http.receive());
      if (part[i]->status == 0) return;
    }
    size_t so_far = answered.fetch_add(end - at) + end - at;
    if (options.on_progress) options.on_progress(so_far);
  }
}

void run_all(Address address, std::vector<Outcome*> wanted, const RushOptions& options) {
  std::atomic<size_t> answered{0};
  std::vector<std::vector<Outcome*>> parts(options.connections);
  for (size_t i = 0; i < wanted.size(); ++i) parts[i % parts.size()].push_back(wanted[i]);
  std::vector<std::thread> threads;
  for (auto& part : parts)
    threads.emplace_back([&] { run_connection(address, part, options, answered); });
  for (std::thread& thread : threads) thread.join();
}

bool is_final(const Outcome& outcome) {
  return outcome.status != 0 && outcome.status != 503;
}

}  // namespace

std::vector<Outcome> rush(Address address, const std::vector<Ask>& asks,
                          const RushOptions& options) {
  std::vector<Outcome> outcomes(asks.size());
  std::vector<Outcome*> all;
  for (size_t i = 0; i < asks.size(); ++i) {
    outcomes[i].ask = asks[i];
    all.push_back(&outcomes[i]);
  }
  run_all(address, all, options);
  return outcomes;
}

std::vector<Outcome> rush_until_decided(Address address, const std::vector<Ask>& asks,
                                        const RushOptions& options) {
  std::vector<Outcome> outcomes = rush(address, asks, options);
  auto deadline = std::chrono::steady_clock::now() + 3 * kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    std::vector<Outcome*> open;
    for (Outcome& outcome : outcomes)
      if (!is_final(outcome)) open.push_back(&outcome);
    if (open.empty()) return outcomes;
    std::this_thread::sleep_for(milliseconds{20});  // the pause that Retry-After asks for
    run_all(address, open, options);
  }
  FAIL_CHECK("not everybody got a final answer");
  return outcomes;
}

std::vector<Ask> crowd(size_t count, const std::string& prefix, const Ask& like) {
  std::vector<Ask> asks(count, like);
  for (size_t i = 0; i < count; ++i) {
    asks[i].user = prefix + std::to_string(i);
    asks[i].key = "key-" + std::to_string(i);
  }
  return asks;
}

void append(std::vector<Outcome>& all, const std::vector<Outcome>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

std::map<std::string, size_t> tally(const std::vector<Outcome>& outcomes) {
  std::map<std::string, size_t> counts;
  for (const Outcome& outcome : outcomes)
    ++counts[std::to_string(outcome.status) + (outcome.code.empty() ? "" : " " + outcome.code)];
  return counts;
}

}  // namespace stampede::e2e
