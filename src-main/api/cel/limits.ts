/** Kubernetes' limits of what expressions may cost (apiserver/pkg/apis/cel). */

/** Of one evaluation; roughly a tenth of a second. */
export const perCallLimit = 1_000_000
/** Of all rules of one custom resource or one policy binding. */
export const runtimeBudget = 10_000_000
/** Of all match conditions of one webhook or binding. */
export const matchConditionsBudget = 2_500_000
/** Of the text that a messageExpression gives, in bytes. */
export const maxMessageBytes = 5_120
/** The largest request that estimates reckon with. */
export const maxRequestBytes = 3 * 1024 * 1024
/** Stands for "unknown, perhaps endless" in estimates: the largest uint64. */
export const unbounded = 2 ** 64

/** Cost units of cel-go. */
export const stringTraversalFactor = 0.1
export const regexFactor = 0.25
export const listCost = 10
export const mapCost = 30
export const structCost = 40
