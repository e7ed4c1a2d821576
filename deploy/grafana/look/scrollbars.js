// The package says its default export in a way that the bundler does not find from a module.
import * as told from "./node_modules/react-custom-scrollbars-2/lib/index.js";

export const Scrollbars = told.Scrollbars ?? told.default.Scrollbars;
export default Scrollbars;
