// Gathers the evidence for verification: the audit from before a run; and when the run is over it asks the
// server for its audit again, waits until the database has everything of that moment, and reads all its orders.
// Blocking; shows how far it is.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "load/operator_client.h"
#include "load/progress.h"
#include "load/report.h"

namespace stampede::load {

class Proof {
 public:
  // All must outlive this; `db` as in --db.
  Proof(const Plan& plan, const OperatorClient& client, std::string db, Clock& clock,
        Progress& progress);

  // Before the run. An error when the run could not be verified afterwards: no listener, no such
  // item, no database, other nodes that hold units too.
  Status prepare();

  // After the run. An error when something could not be read, the database stopped catching up, or
  // other nodes took part: then nothing is proven.
  Result<Report::Verified> gather(const Run& run, const std::function<bool()>& is_interrupted);

 private:
  Result<std::vector<ItemAudit>> audits() const;
  Status wait_until_drained(const std::function<bool()>& is_interrupted);
  Status read_rows(Verification& verification);

  const Plan& plan_;
  const OperatorClient& client_;
  std::string db_;
  Clock& clock_;
  Progress& progress_;
  std::vector<ItemAudit> before_;
};

}  // namespace stampede::load
