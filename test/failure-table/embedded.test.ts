import { describeFailureTable } from "./suite.ts";

describeFailureTable("the embedded servers");
