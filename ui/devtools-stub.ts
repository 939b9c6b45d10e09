/** Stands in for react-devtools-core in the bundle: Ink names it, and as an external module it would be imported. */
const nothing = (): void => undefined;
export const initialize = nothing;
export const connectToDevTools = nothing;
export default { initialize, connectToDevTools };
