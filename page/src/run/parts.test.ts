import { expect, test } from "vitest";
import { readable } from "./parts";

const part = (name: string, source: string) => ({ name, source, file: "p.py", line: 1 });

test("the step's own definition comes first, imports are told as lines", () => {
  const found = readable([part("p.np", "import numpy as np\n"), part("p.helper", "def helper(): ..."), part("p.train", "@step\ndef train(): ..."), part("q.np", "import numpy as np")], "p:train");
  expect(found.parts.map((one) => one.name)).toEqual(["p.train", "p.helper"]);
  expect(found.imports).toEqual(["import numpy as np"]);
});

test("code that only begins with an import is a definition", () => {
  expect(readable([part("p.x", "import os\nx = os.environ")], "p:train").imports).toEqual([]);
});
