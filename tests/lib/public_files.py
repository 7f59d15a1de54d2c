"""usage: public_files.py FOLDER     small made-up files in the forms in which the tasks' data are published"""
import base64, hashlib, json, os, random, struct, sys

random.seed(5)
os.makedirs(sys.argv[1])
os.chdir(sys.argv[1])
SHOWN = ["ball", "dog", "tree", "car"]
COLOURS = ["red", "blue", "green"]
IMAGES, REGIONS, WIDTH, CLASSES = 12, 3, 16, 8
images = [(f"COCO_train2014_{i + 1:012d}", 100000 + i, random.choice(COLOURS), random.choice(SHOWN)) for i in range(IMAGES)]


def save(name, value):
    with open(name, "w") as f:
        f.write(value if isinstance(value, str) else json.dumps(value, indent=1))


def b64(values):
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def seen(i):
    """Boxes, features and class probabilities of image i."""
    draw = random.Random(i)
    boxes = []
    for _ in range(REGIONS):
        x, y = draw.uniform(0, 400), draw.uniform(0, 300)
        boxes += [x, y, x + 50, y + 60]
    features = [draw.gauss(0, 1) + (COLOURS.index(images[i][2]) == k % 3) for k in range(REGIONS * WIDTH)]
    return boxes, features, [1 / CLASSES] * (REGIONS * CLASSES)


def sentences(i):
    _, _, colour, thing = images[i]
    return [f"A {colour} {thing}.", f"there is a {thing} that is {colour}"]


# Features: the detector's table, which calls an image by its number, and the authors'.
with open("bua.tsv", "w") as bua, open("unimo.tsv", "w") as unimo:
    for i, (coco, flickr, _, _) in enumerate(images):
        boxes, features, probs = seen(i)
        row = [REGIONS, b64(boxes), b64(features)]
        print(i + 1, 480, 400, *row, sep="\t", file=bua)
        print(flickr, 480, 400, *row, b64(probs), sep="\t", file=unimo)

# Captions: Karpathy's files and COCO's own.
split = ["train"] * 7 + ["restval"] + ["val"] * 2 + ["test"] * 2


def karpathy(name, which, suffix=""):
    save(name, {"images": [{"filepath": "x", "filename": f"{x[which]}.jpg", "imgid": i, "split": split[i] if which == 0 else split[i].replace("rest", ""),
                            "sentences": [{"tokens": [], "raw": s, "imgid": i, "sentid": 2 * i + k} for k, s in enumerate(sentences(i))], "cocoid": i + 1}
                           for i, x in enumerate(images)], "dataset": "made up"})


karpathy("dataset_coco.json", 0)
karpathy("dataset_flickr30k.json", 1)
save("captions_train2014.json", {"info": {"year": 2014}, "images": [{"file_name": f"{x[0]}.jpg", "id": i + 1} for i, x in enumerate(images)],
                                 "annotations": [{"image_id": i + 1, "id": 100 + i, "caption": sentences(i)[0] + "\n"} for i in range(IMAGES)]})

# Questions, in another order than their annotations; the subtype behind the questions.
ask = [{"image_id": i + 1, "question": f"What colour is the {x[3]}?", "question_id": 1000 * (i + 1)} for i, x in enumerate(images)]
save("questions.json", {"info": {}, "questions": ask[::-1], "data_subtype": "train2014"})
save("annotations.json", {"annotations": [
    {"question_type": "what", "multiple_choice_answer": x[2], "image_id": i + 1, "question_id": 1000 * (i + 1), "answer_type": "other",
     "answers": [{"answer": ["The " + x[2].title(), "dont know", x[2] + "."][k % 3], "answer_confidence": "yes", "answer_id": k + 1} for k in range(10)]}
    for i, x in enumerate(images)], "data_subtype": "train2014"})

with open("snli_ve.jsonl", "w") as f:
    for i, x in enumerate(images):
        label = ["entailment", "contradiction", "neutral", "-"][i % 4]
        said = [x[2], "purple", "big", "odd"][i % 4]
        f.write(json.dumps({"annotator_labels": [label], "captionID": f"{x[1]}.jpg#0", "gold_label": label, "pairID": f"{x[1]}.jpg#0r1e",
                            "sentence1": sentences(i)[0], "sentence2": f"The {x[3]} is {said}.", "Flickr30K_ID": str(x[1])}) + "\n")

# GLUE: quotation marks are plain characters there.
good, bad = 'a "charming and moving film', 'dull , "slow and empty'
save("SST-2-train.tsv", "sentence\tlabel\n" + "".join(f"{[bad, good][i % 2]} {i} \t{i % 2}\n" for i in range(12)))
save("SST-2-test.tsv", "index\tsentence\n" + "".join(f"{i}\t{[bad, good][i % 2]}\n" for i in range(4)))
save("CoLA-train.tsv", "".join(f"gj04\t{i % 2}\t{'' if i % 2 else '*'}\t{'The dog sleeps.' if i % 2 else 'Dog the sleeps the.'}\n" for i in range(12)))
head = "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse sentence1 sentence2 label1 gold_label"
save("MNLI-train.tsv", "\t".join(head.split()) + "\n" + "".join(
    "\t".join([str(i), "1", f"{i}e", "fiction", "( )", "( )", "( )", "( )", "The dog is red.", f"A dog is {c}.", l, l]) + "\n"
    for i, (c, l) in enumerate([("red", "entailment"), ("blue", "contradiction"), ("old", "neutral")] * 4)))
save("STS-B-train.tsv", "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n" + "".join(
    f"{i}\tmain\tx\t2012\t{i}\tnone\tnone\tA dog runs.\tA {['dog', 'car', 'cat'][i % 3]} runs.\t{[5.0, 0.4, 2.25][i % 3]:.3f}\n" for i in range(12)))

# Summaries.
save("train.src", "".join(f"the {x[3]} of the town , which is {x[2]} , was seen again\n" for x in images))
save("train.tgt", "".join(f"{x[2]} {x[3]} seen\n" for x in images))
save("qg.src", "".join(f"The {x[3]} is {x[2]}. [SEP] {x[2]}\n" for x in images))
os.mkdir("stories")
with open("list.txt", "w") as f:
    for i, x in enumerate(images):
        address = f"http://web.archive.org/{i}.html"
        print(address, file=f)
        save(f"stories/{hashlib.sha1(address.encode()).hexdigest()}.story",
             f"The {x[3]} was seen .\n\nIt was {x[2]} .\n\n@highlight\n\na {x[3]} was seen\n\n@highlight\n\nit was {x[2]}\n")

# Questions about texts, conversations.
save("squad.json", {"version": "1.1", "data": [{"title": t, "paragraphs": [{"context": f"The {x[3]} is {x[2]}.", "qas": [
    {"id": f"{t}-{i}", "question": f"What colour is the {x[3]}?", "answers": [{"answer_start": 8 + len(x[3]), "text": x[2]}]}]}
    for i, x in enumerate(images)]} for t in ("Things", "Other things")]})
save("titles.txt", "Things\n")
save("coqa.json", {"version": "1.0", "data": [{"source": "x", "id": f"story{i}", "filename": "x", "story": f"There was a {x[3]}. It was {x[2]}.", "questions": [
    {"input_text": "What was there?", "turn_id": 1}, {"input_text": "Which colour?", "turn_id": 2}], "answers": [
    {"span_start": 0, "span_end": 1, "span_text": "x", "input_text": f"a {x[3]}", "turn_id": 1}, {"input_text": x[2], "turn_id": 2}],
    "additional_answers": {"0": [{"input_text": x[3], "turn_id": 1}, {"input_text": f"it was {x[2]}", "turn_id": 2}]}} for i, x in enumerate(images)]})

# The authors' lines, with ids of a vocabulary.
ids = lambda i: f"0 {' '.join(str(4 + (i + k) % 90) for k in range(5))} 2"
with open("unimo-flickr.txt", "w") as a, open("unimo-ve.txt", "w") as b, open("unimo-coco.txt", "w") as c, open("unimo-objects.txt", "w") as d:
    for i, x in enumerate(images):
        boxes, features, probs = seen(i)
        zeros = "0 0 0 0 0 0 0"
        print(ids(i), zeros, zeros, x[1], i, sep=";", file=a)
        print(x[1], i, i % 3, ids(i), zeros, zeros, "", 480, 400, REGIONS, b64(boxes), b64(features), "", "", sep=";", file=b)
        print(x[0], i, ids(i), zeros, zeros, "-1 0 1 0 0 1 -1", "", "", 400, 480, REGIONS, b64(boxes), b64(probs), "", b64(features), 0, sep=";", file=c)
        print(x[0], "0 7 8 2", "0 0 0 0", "0 0 0 0", sep=";", file=d)
save("unimo.vocab.txt", "[CLS]\n[PAD]\n[SEP]\n[UNK]\n" + "".join(f"{(i * 7) % 90}\n" for i in range(90)) + "[MASK]\n")
save("unimo-seq2seq.tsv", "src\ttgt\n" + "".join(f"{i % 90} 3 4 [SEP] 5\t6 7\n" for i in range(12)))
save("unimo-dialog.tsv", "knowledge\tsrc\ttgt\n" + "".join(f"{i % 90} 3 4\t5 6 [SEP] 7 [SEP] 8\t6 7\n" for i in range(12)))
save("unimo-class.tsv", "text_a\tlabel\tqid\n" + "".join(f"some text {i}\t{i % 2}\tq{i}\n" for i in range(12)))
