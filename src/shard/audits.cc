#include "shard/audits.h"

#include "shard/admin_json.h"

namespace stampede::shard {

Audits::Audits(const ledger::OperatorsLink& ledger, const stock::Catalog& catalog,
               std::function<void(ReplyTo, TextAnswer)> complete)
    : ledger_(ledger), catalog_(catalog), complete_(std::move(complete)) {}

bool Audits::ask(ReplyTo place, ItemId first, ItemId end, bool has_more) {
  CHECK(end - first <= bounds::items_per_page);
  if (pages_.size() == bounds::audit_pages_max) return false;
  pages_.push_back({.place = place, .first = first, .end = end, .has_more = has_more});
  if (pages_.size() == 1) start_page();
  return true;
}

void Audits::start_page() {
  next_ = pages_.front().first;
  answered_ = 0;
  is_known_ = true;
  lines_.assign(pages_.front().end - pages_.front().first, AuditLine{});
}

void Audits::turn() {
  for (const ledger::AuditResult& result : ledger_.both.take_audits()) {
    lines_.at(result.ticket - pages_.front().first) = result.line;
    is_known_ = is_known_ && result.is_known;
    ++answered_;
  }
  while (!pages_.empty()) {
    const Page& page = pages_.front();
    // An item has one audit under way at most, so its id can be the ticket.
    while (next_ < page.end && ledger_.both.audit(next_, next_)) ++next_;
    if (answered_ < lines_.size()) return;
    finish(page);
    pages_.pop_front();
    if (!pages_.empty()) start_page();
  }
}

void Audits::finish(const Page& page) {
  if (!is_known_)
    return complete_(page.place, refused(Verdict::ledger_unavailable,
                                         "The shared ledger does not answer, so nobody can say."));
  std::string body;
  bool is_ok = true;
  for (ItemId item = page.first; item < page.end; ++item) {
    const AuditLine& line = lines_[item - page.first];
    is_ok = is_ok && line.is_ok;
    body += body.empty() ? "" : ",";
    append_audit_line(line, catalog_.code(item), ledger_.is_shared(), body);
  }
  body = (is_ok ? "{\"ok\":true,\"items\":[" : "{\"ok\":false,\"items\":[") + body + "]";
  if (page.has_more) {
    body += ",\"next\":";
    append_quoted(catalog_.code(page.end - 1), body);
  }
  complete_(page.place, {.headers = "Cache-Control: no-store\r\n", .body = std::move(body) + "}"});
}

}  // namespace stampede::shard
