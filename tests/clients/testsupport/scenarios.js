// What Microsoft's DAP test client does to `remora adapter`; test_testsupport.py runs one scenario at a time:
//
//   node scenarios.js SCENARIO stdio REMORA
//   node scenarios.js SCENARIO port NUMBER
//
// Exit code 0: passed. What failed is on stderr.

const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { DebugClient } = require(path.join(process.env.TEST_MODULES, "@vscode/debugadapter-testsupport"));

const [, , scenario, transport, where] = process.argv;
const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "remora-testsupport-")));

const SOURCE = `import sys

class Account:
    def __init__(self, owner):
        self.owner = owner
        self.balance = 0

    def add(self, amount):
        self.balance += amount      # @add
        return self.balance         # @added

def main():
    account = Account("Ada")
    for amount in (10, 20, 30):
        total = account.add(amount) # @call
        print("total", total)       # @print
    return account                  # @return

main()                              # @main
sys.exit(5)
`;
const CRASH = `def divide(n):
    return 1 / n                    # @raise
divide(0)
`;

function write(name, text) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  return file;
}

function line(text, marker) {
  const index = text.split("\n").findIndex((each) => each.includes("@" + marker));
  assert(index >= 0, `no marker ${marker}`);
  return index + 1;
}

const program = write("account.py", SOURCE);
const launch = { program, cwd: folder, console: "internalConsole", python: process.env.TEST_PYTHON };
const at = (marker) => ({ path: program, line: line(SOURCE, marker) });

async function locals(dc, frameId) {
  const { body } = await dc.scopesRequest({ frameId });
  const scope = body.scopes.find((each) => each.presentationHint === "locals");
  const answer = await dc.variablesRequest({ variablesReference: scope.variablesReference });
  return { scope, variables: Object.fromEntries(answer.body.variables.map((each) => [each.name, each])) };
}

function outputOf(dc) {
  const texts = {};
  dc.on("output", (event) => {
    texts[event.body.category] = (texts[event.body.category] || "") + event.body.output;
  });
  return texts;
}

const scenarios = {
  async launchToTheEnd(dc) {
    const output = outputOf(dc);
    const exited = dc.waitForEvent("exited");
    const terminated = dc.waitForEvent("terminated");
    await Promise.all([dc.configurationSequence(), dc.launch(launch)]);
    assert.strictEqual((await exited).body.exitCode, 5);
    await terminated;
    assert.strictEqual(output.stdout, "total 10\ntotal 30\ntotal 60\n");
  },

  async breakpoint(dc) {
    await dc.hitBreakpoint(launch, at("add"));
    const { body } = await dc.stackTraceRequest({ threadId: 1 });
    assert.deepStrictEqual(
      body.stackFrames.map((frame) => frame.line),
      [line(SOURCE, "add"), line(SOURCE, "call"), line(SOURCE, "main")],
    );
  },

  async conditionalBreakpoint(dc) {
    const lines = [{ line: line(SOURCE, "add"), condition: "amount == 30" }];
    const configured = dc
      .waitForEvent("initialized")
      .then(() => dc.setBreakpointsRequest({ source: { path: program }, breakpoints: lines }))
      .then((answer) => {
        assert.strictEqual(answer.body.breakpoints[0].verified, true);
        return dc.configurationDoneRequest();
      });
    await Promise.all([configured, dc.launch(launch), dc.assertStoppedLocation("breakpoint", at("add"))]);
    const { body } = await dc.stackTraceRequest({ threadId: 1 });
    const { variables } = await locals(dc, body.stackFrames[0].id);
    assert.strictEqual(variables.amount.value, "30");
  },

  async logpoint(dc) {
    const output = outputOf(dc);
    const lines = [{ line: line(SOURCE, "print"), logMessage: "now {total:>4}" }];
    const configured = dc
      .waitForEvent("initialized")
      .then(() => dc.setBreakpointsRequest({ source: { path: program }, breakpoints: lines }))
      .then(() => dc.configurationDoneRequest());
    await Promise.all([configured, dc.launch(launch), dc.waitForEvent("terminated")]);
    assert.strictEqual(output.console, "now   10\nnow   30\nnow   60\n");
  },

  async steps(dc) {
    await dc.hitBreakpoint(launch, at("call"));
    const threadId = 1;
    await Promise.all([dc.stepInRequest({ threadId }), dc.assertStoppedLocation("step", at("add"))]);
    await Promise.all([dc.nextRequest({ threadId }), dc.assertStoppedLocation("step", at("added"))]);
    await Promise.all([dc.stepOutRequest({ threadId }), dc.assertStoppedLocation("step", at("call"))]);
    await Promise.all([dc.nextRequest({ threadId }), dc.assertStoppedLocation("step", at("print"))]);
    await Promise.all([
      dc.continueRequest({ threadId }),
      dc.assertStoppedLocation("breakpoint", at("call")),
    ]);
  },

  async variables(dc) {
    await dc.hitBreakpoint(launch, at("print"));
    const { body } = await dc.stackTraceRequest({ threadId: 1 });
    const frameId = body.stackFrames[0].id;
    const { scope, variables } = await locals(dc, frameId);
    assert.strictEqual(variables.total.value, "10");
    assert.strictEqual(variables.total.type, "int");
    const children = await dc.variablesRequest({
      variablesReference: variables.account.variablesReference,
    });
    const owner = children.body.variables.find((each) => each.name === "owner");
    assert.strictEqual(owner.value, "'Ada'");
    const evaluated = await dc.evaluateRequest({ expression: owner.evaluateName, frameId, context: "watch" });
    assert.strictEqual(evaluated.body.result, "'Ada'");
    await dc.setVariableRequest({
      variablesReference: scope.variablesReference,
      name: "total",
      value: "total * 100",
    });
    await Promise.all([
      dc.setBreakpointsRequest({ source: { path: program }, breakpoints: [] }),
      dc.continueRequest({ threadId: 1 }),
      dc.assertOutput("stdout", "total 1000"),
      dc.waitForEvent("terminated"),
    ]);
  },

  async exception(dc) {
    const crash = write("crash.py", CRASH);
    const configured = dc
      .waitForEvent("initialized")
      .then(() => dc.setExceptionBreakpointsRequest({ filters: ["uncaught"] }))
      .then(() => dc.configurationDoneRequest());
    await Promise.all([
      configured,
      dc.launch({ ...launch, program: crash }),
      dc.assertStoppedLocation("exception", { path: crash, line: line(CRASH, "raise") }),
    ]);
    const { body } = await dc.exceptionInfoRequest({ threadId: 1 });
    assert.match(body.exceptionId, /ZeroDivisionError/);
    const exited = dc.waitForEvent("exited");
    await dc.continueRequest({ threadId: 1 });
    assert.strictEqual((await exited).body.exitCode, 1);
  },

  async stopOnEntry(dc) {
    await Promise.all([
      dc.configurationSequence(),
      dc.launch({ ...launch, stopOnEntry: true }),
      dc.assertStoppedLocation("entry", { path: program, line: 1 }),
    ]);
    await Promise.all([dc.continueRequest({ threadId: 1 }), dc.waitForEvent("terminated")]);
  },

  async pause(dc) {
    const loop = write("loop.py", "n = 0\nprint('up', flush=True)\nwhile True:\n    n += 1\n");
    await Promise.all([
      dc.configurationSequence(),
      dc.launch({ ...launch, program: loop }),
      dc.assertOutput("stdout", "up"),
    ]);
    await Promise.all([
      dc.pauseRequest({ threadId: 1 }),
      dc.assertStoppedLocation("pause", { path: loop }),
    ]);
    const { body } = await dc.threadsRequest();
    assert.deepStrictEqual(body.threads.map((thread) => thread.id), [1]);
    await dc.terminateRequest();
    await dc.waitForEvent("terminated");
  },
};

async function main() {
  if (scenario === "--list") {
    console.log(Object.keys(scenarios).join("\n"));
    return;
  }
  const dc = new DebugClient(transport === "stdio" ? where : "none", "adapter", "remora", { cwd: folder }, true);
  dc.defaultTimeout = 15000;
  await dc.start(transport === "port" ? Number(where) : undefined);
  try {
    await scenarios[scenario](dc);
  } finally {
    await dc.stop();
  }
}

main()
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  })
  .finally(() => {
    fs.rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
