import type { ReviewFor } from "../../server/audit-review/review.ts";
import type { ReviewPort } from "../../server/audit-review/review-port.ts";

const unused = (): never => {
  throw new Error("nothing in this test reviews the record");
};

/** For tests in which nobody looks at the record. */
export const noReviewPort: ReviewPort = { sessions: unused, events: unused, verify: unused, exportRecord: unused };

export const noReview: ReviewFor = () => noReviewPort;
