// Answers of the operators' listener as JSON: what they hold and how they are spelt. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quoted.h"
#include "ledger/messages.h"
#include "order.h"
#include "shard/request_handler.h"
#include "stock/catalog.h"

namespace stampede::shard {

// A refusal with words of its own; as many of them as a refusal may have.
[[nodiscard]] TextAnswer refused(Verdict verdict, std::string_view message);
// 409 with a figure beside the message, such as "available".
[[nodiscard]] TextAnswer conflict(std::string_view code, std::string_view message,
                                  std::string_view figure, uint64_t value);

// 409 when files were read again and one of them is wrong.
[[nodiscard]] TextAnswer not_reloaded(std::string_view problem);

// ["…","…"]
void append_list(const std::vector<std::string>& texts, std::string& out);

// {"ready":false,"reasons":["…"],"warnings":["…"]}; 503 with reasons, 200 without.
[[nodiscard]] TextAnswer readiness_answer(const std::vector<std::string>& reasons,
                                          const std::vector<std::string>& warnings);

// All terms of an item, then its state and its units: {"code":…,"state":"open","total":100}.
[[nodiscard]] std::string item_json(const stock::ItemTerms& terms, Units total, int64_t wall_ms);

// {"item":"ticket","op_id":"r1","applied":true,"total":110}
[[nodiscard]] std::string restock_json(std::string_view item, std::string_view op_id,
                                       bool is_applied, Units total);

// {"item":"ticket","total":10,"free":1,"leased":2,"reserved":3,"paid":4,"ok":true}
// Of a shared ledger also "elsewhere", what other nodes hold.
void append_audit_line(const AuditLine& line, std::string_view code, bool is_shared,
                       std::string& out);

}  // namespace stampede::shard
