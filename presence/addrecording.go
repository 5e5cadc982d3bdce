package presence

// AddRecording keeps a recording. One that is known already changes nothing.
type AddRecording struct{ Recording Recording }

func (*AddRecording) kind() kind    { return kindAddRecording }
func (*AddRecording) durable() bool { return true }

func (c *AddRecording) encode(b []byte) []byte { return appendRecording(b, &c.Recording) }
func (c *AddRecording) decode(r *reader)       { c.Recording = r.recording() }
