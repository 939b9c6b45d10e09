import type { ReviewFor } from "../../server/audit-review/review.ts";
import type { ReviewPort } from "../../server/command/review-port.ts";

const unused = (): never => {
  throw new Error("nothing in this test reviews the record");
};

const noReviewPort: ReviewPort = { sessions: unused, events: unused, verify: unused, exportRecord: unused };

/** For tests in which nobody looks at the record. */
export const noReview: ReviewFor = () => noReviewPort;
